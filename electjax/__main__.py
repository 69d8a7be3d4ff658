"""`python -m electjax`, the same as `python -m electjax.run`."""

from electjax.run.main import main

if __name__ == "__main__":
    main()
