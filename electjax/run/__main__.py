"""`python -m electjax.run`."""

from electjax.run.main import main

if __name__ == "__main__":
    main()
