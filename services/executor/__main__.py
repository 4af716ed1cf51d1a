"""`python -m services.executor`: one executor process."""

from services.executor.bootstrap import main

if __name__ == "__main__":
    main()
