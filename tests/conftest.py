"""While the tests run, every annotated array shape and type of the core and the simulators is checked.

With ELECTJAX_CACHE set, compiled programs are kept there and shared by the processes that test.
"""

import os

from jaxtyping import install_import_hook

install_import_hook(("electjax.core", "electjax.simulators", "electjax.voter_types", "electjax.calm"), "beartype.beartype")

if os.environ.get("ELECTJAX_CACHE"):
    from electjax.run import use_compilation_cache

    use_compilation_cache()
