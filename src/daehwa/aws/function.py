"""The function's command: `python -m daehwa.aws.function`, which run.sh starts and the Lambda Web Adapter asks."""

from daehwa.services.aws import run

if __name__ == "__main__":
    run()
