"""While the tests run, every annotated array shape and type of the core and the simulators is checked."""

from jaxtyping import install_import_hook

install_import_hook(("electjax.core", "electjax.simulators"), "beartype.beartype")
