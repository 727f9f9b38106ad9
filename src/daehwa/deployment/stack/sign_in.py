"""Who may come in: a Cognito user pool by invitation, or whatever OpenID Connect provider the settings name."""

import hashlib
from collections.abc import Mapping

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from daehwa.deployment.configuration import CALLBACK_PATH, DeploymentSettings
from daehwa.deployment.stack.acknowledgments import acknowledge
from daehwa.deployment.stack.lasting import name_for_good

EVERYBODY_INVITED = "*"
"""Whom the pool lets in was invited into it; nobody can sign up."""
_INVITATION = """<p>You are invited to daehwa: <a href="{url}/chat.html">{url}/chat.html</a></p>
<p>Your name there: {{username}}<br>Your first password, for seven days: {{####}}</p>
<p>대화에 초대합니다. 위 주소에서 이 이름과 첫 비밀번호로 들어오세요. 비밀번호는 이레 동안 쓸 수 있습니다.</p>"""


def other_provider(settings: DeploymentSettings, issuer: str, secret_parameter: str) -> Mapping[str, str]:
    """Return what the function is told of another provider than ours."""
    return {
        "DAEHWA_SIGN_IN_ISSUER": issuer,
        "DAEHWA_SIGN_IN_CLIENT_ID": settings.client_id or "",
        "DAEHWA_SIGN_IN_SECRET_PARAMETER": secret_parameter,
        "DAEHWA_SIGN_IN_ALLOWED_EMAILS": ",".join(settings.allowed_emails),
    }


def domain_prefix(name: str, account: str, region: str) -> str:
    """Return a name for the sign-in page's address that nobody else in the region has, the same at each deployment."""
    return f"{name}-{hashlib.sha256(f'{account}/{region}/{name}'.encode()).hexdigest()[:12]}"


class InvitedPeople(Construct):
    """A user pool that outlives the stack, its page for signing in, and one public client that uses code and PKCE.

    The first admin is not a resource here: a changed address would remove a person, and one who exists already would
    fail the deployment. The deploy command invites.
    """

    def __init__(self, scope: Construct, name: str, *, settings: DeploymentSettings, url: str, account: str) -> None:
        super().__init__(scope, name)
        self._region = Stack.of(self).region
        self._prefix = domain_prefix(settings.name, account, self._region)
        self.pool = self._make_pool(settings, url)
        self.client = self._make_client(url)
        domain = self.pool.add_domain(
            "Domain",
            cognito_domain=cognito.CognitoDomainOptions(domain_prefix=self._prefix),
            managed_login_version=cognito.ManagedLoginVersion.NEWER_MANAGED_LOGIN,
        )
        look = cognito.CfnManagedLoginBranding(
            self,
            "Look",
            user_pool_id=self.pool.user_pool_id,
            client_id=self.client.user_pool_client_id,
            use_cognito_provided_values=True,
        )
        look.node.add_dependency(domain)

    def environment(self) -> Mapping[str, str]:
        """Return what the function is told of this pool."""
        host = f"https://{self._prefix}.auth.{self._region}.amazoncognito.com"
        return {
            "DAEHWA_SIGN_IN_ISSUER": f"https://cognito-idp.{self._region}.amazonaws.com/{self.pool.user_pool_id}",
            "DAEHWA_SIGN_IN_CLIENT_ID": self.client.user_pool_client_id,
            "DAEHWA_SIGN_IN_ALLOWED_EMAILS": EVERYBODY_INVITED,
            "DAEHWA_SIGN_IN_LOGOUT_URL": f"{host}/logout",
        }

    def _make_pool(self, settings: DeploymentSettings, url: str) -> cognito.UserPool:
        pool = cognito.UserPool(
            self,
            "Pool",
            user_pool_name=settings.name,
            self_sign_up_enabled=False,
            sign_in_aliases=cognito.SignInAliases(email=True),
            sign_in_case_sensitive=False,
            auto_verify=cognito.AutoVerifiedAttrs(email=True),
            keep_original=cognito.KeepOriginalAttrs(email=True),
            standard_attributes=cognito.StandardAttributes(
                email=cognito.StandardAttribute(required=True, mutable=True)
            ),
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            feature_plan=cognito.FeaturePlan.ESSENTIALS,
            mfa=cognito.Mfa.REQUIRED if settings.require_second_factor else cognito.Mfa.OPTIONAL,
            mfa_second_factor=cognito.MfaSecondFactor(otp=True, sms=False),
            password_policy=cognito.PasswordPolicy(
                min_length=12,
                require_lowercase=True,
                require_uppercase=True,
                require_digits=True,
                require_symbols=True,
                temp_password_validity=Duration.days(7),
            ),
            user_invitation=cognito.UserInvitationConfig(
                email_subject="daehwa", email_body=_INVITATION.format(url=url)
            ),
            deletion_protection=True,
            removal_policy=RemovalPolicy.RETAIN,
        )
        name_for_good(pool, "UserPool")
        if not settings.require_second_factor:
            acknowledge(pool, "COG2", "Whoever deploys chooses: --require-second-factor asks it of everybody.")
        acknowledge(pool, "COG8", "The Plus plan has no free people: $0.02 a month for each who signs in.")
        return pool

    def _make_client(self, url: str) -> cognito.UserPoolClient:
        return self.pool.add_client(
            "Client",
            generate_secret=False,
            auth_flows=cognito.AuthFlow(user_srp=True),
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(authorization_code_grant=True),
                scopes=[cognito.OAuthScope.OPENID, cognito.OAuthScope.EMAIL, cognito.OAuthScope.PROFILE],
                callback_urls=[f"{url}{CALLBACK_PATH}"],
                logout_urls=[url, f"{url}/", f"{url}/chat.html"],
            ),
            supported_identity_providers=[cognito.UserPoolClientIdentityProvider.COGNITO],
            prevent_user_existence_errors=True,
            enable_token_revocation=True,
            # The app looks at a token once, when somebody comes in; after that its own sign-in counts.
            id_token_validity=Duration.minutes(5),
            access_token_validity=Duration.minutes(5),
            refresh_token_validity=Duration.hours(1),
        )
