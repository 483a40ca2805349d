"""What each quantiser writes into a config: one function per method."""

from ridgeline.readers.quantizers.floats import modelopt
from ridgeline.readers.quantizers.methods import METHODS, method_of

__all__ = ["METHODS", "method_of", "modelopt"]
