"""Models whose inner layers multiply 8-bit integers, made from their own graphs and what was seen on tiles of a map.

Static quantisation after training: activations as uint8, weights as int8 with one scale an output channel, written as
pairs of QuantizeLinear and DequantizeLinear that a runtime folds into integer layers
(https://arxiv.org/abs/1712.05877; https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html).

- `layers`: which layers may be quantised.
- `flow`: where what goes into them is rounded.
- `watching`: the model with the statistics of its tensors as further outputs, and what they say.
- `recipe`: all that decides the quantised model besides the model itself.
- `rounding`: values to steps, weights to integers.
- `rewriting`: the quantised model by a recipe.
"""
