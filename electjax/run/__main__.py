"""`python -m electjax.run`."""

from electjax.run.main import main

main()
