"""`python -m daehwa`: the program where its command is not on the path."""

from daehwa.cli import main

if __name__ == "__main__":
    main()
