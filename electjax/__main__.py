"""`python -m electjax`."""

from electjax.run.main import main

main()
