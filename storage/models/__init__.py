"""The registered models, and which of them is the champion."""
