"""What a run makes: choosing it before, its summary and report after."""
