"""What pip is given of the user's environment and of QGIS's proxy, and what is kept from it."""

from __future__ import annotations

import pytest
from fusion_mapper.toolbox.setup.network import network_variables, pip_environment, proxy_url
from fusion_mapper.toolbox.setup.planning import read_network
from qgis.core import QgsSettings

PROXY = {
    "proxy/proxyEnabled": "true", "proxy/proxyType": "HttpProxy", "proxy/proxyHost": "proxy.example",
    "proxy/proxyPort": "3128",
}  # fmt: skip


def test_the_users_own_settings_for_pip_are_kept():
    mine = {
        "PIP_INDEX_URL": "https://mirror.example/simple", "PIP_TRUSTED_HOST": "mirror.example",
        "PIP_CERT": "/etc/ca.pem", "PIP_CONFIG_FILE": "/etc/pip.conf", "SSL_CERT_FILE": "/etc/ca.pem",
        "HTTPS_PROXY": "http://p:1",
    }  # fmt: skip
    kept = pip_environment({**mine, "PATH": "/usr/bin", "HOME": "/home/ana"})
    assert {name: kept.get(name) for name in mine} == mine
    assert (kept["PATH"], kept["HOME"], kept["PIP_NO_INPUT"]) == ("/usr/bin", "/home/ana", "1")


def test_what_would_lead_pip_astray_and_all_of_qgis_python_is_dropped():
    foreign = [
        "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_REQUIRE_VIRTUALENV", "PIP_CONSTRAINT", "pip_target", "PYTHONHOME",
        "PYTHONPATH", "PYTHONEXECUTABLE", "VIRTUAL_ENV", "GDAL_DATA", "PROJ_LIB", "LD_LIBRARY_PATH",
    ]  # fmt: skip
    kept = pip_environment(dict.fromkeys(foreign, "x"))
    assert not set(foreign) & set(kept)


@pytest.mark.parametrize(
    ("value", "stays"),
    [
        (r"C:\OSGeo4W\bin\curl-ca-bundle.crt", False),
        ("c:/osgeo4w/bin/curl-ca-bundle.crt", False),
        (r"C:\Firm\ca.pem", True),
    ],
)
@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_certificates_that_qgis_names_in_its_own_folder_are_not_the_users(name, value, stays):
    assert (name in pip_environment({name: value}, [r"C:\OSGeo4W", ""])) == stays


def test_what_the_user_has_set_goes_before_qgis():
    kept = pip_environment({"https_proxy": "http://mine:1"}, added=network_variables(PROXY))
    assert kept["https_proxy"] == "http://mine:1"
    assert "HTTPS_PROXY" not in kept
    assert kept["HTTP_PROXY"] == "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("changed", "url"),
    [
        ({}, "http://proxy.example:3128"),
        ({"proxy/proxyEnabled": True}, "http://proxy.example:3128"),
        ({"proxy/proxyEnabled": "false"}, ""),
        ({"proxy/proxyEnabled": None}, ""),
        ({"proxy/proxyType": "DefaultProxy"}, ""),  # the system's, which pip finds by itself
        ({"proxy/proxyType": "HttpCachingProxy"}, "http://proxy.example:3128"),
        ({"proxy/proxyType": "Socks5Proxy"}, "socks5h://proxy.example:3128"),
        ({"proxy/proxyHost": ""}, ""),
        ({"proxy/proxyPort": ""}, "http://proxy.example"),
        (
            {"proxy/proxyUser": "ana", "proxy/proxyPassword": "p@ss:w/rd"},
            "http://ana:p%40ss%3Aw%2Frd@proxy.example:3128",
        ),
    ],
)
def test_qgis_proxy_becomes_an_address(changed, url):
    assert proxy_url({**PROXY, **changed}) == url


def test_a_login_from_the_authentication_store_is_used():
    assert proxy_url(PROXY, ("ana", "x")) == "http://ana:x@proxy.example:3128"


def test_hosts_that_qgis_reaches_without_the_proxy_stay_without():
    listed = {
        "proxy/noProxyUrls": ["https://mirror.example/simple", "intranet"],
        "proxy/proxyExcludedUrls": "a.example|b.example",
    }
    told = network_variables({**PROXY, **listed})
    assert told["NO_PROXY"] == "mirror.example,intranet,a.example,b.example"
    assert network_variables({}) == {}


def test_the_proxy_is_read_from_qgis_settings(qgis_app):
    settings = QgsSettings()
    for key, value in PROXY.items():
        settings.setValue(key, value)
    try:
        assert read_network().variables["HTTPS_PROXY"] == "http://proxy.example:3128"
    finally:
        for key in PROXY:
            settings.remove(key)
    assert read_network().variables == {}
