"""Methods of inference: one file each, found by name.

A file of this folder that declares a `Method` adds one; nothing else has to know of it.
"""

from electjax.districts.abc.problem import Method
from electjax.numerics.registry import declared_in

METHODS: dict[str, Method] = declared_in(__name__, Method)
