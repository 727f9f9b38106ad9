"""Synthesises the app for the CDK CLI, from the file that DAEHWA_DEPLOYMENT names."""

import sys

from daehwa.deployment.configuration import INPUT_VARIABLE
from daehwa.deployment.errors import DeploymentError
from daehwa.deployment.stack.asked import StackInput
from daehwa.settings.surroundings import child_environment

if __name__ == "__main__":
    try:
        asked = StackInput.read(child_environment().get(INPUT_VARIABLE))
        from daehwa.deployment.stack.app import synthesize  # CDK takes seconds to import; a refusal need not

        synthesize(asked)
    except DeploymentError as error:
        sys.exit(str(error))
