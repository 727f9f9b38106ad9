"""The one web address: files from S3, all else from the API, the same strict headers on both."""

from collections.abc import Mapping
from typing import Protocol

from aws_cdk import Duration, Stack
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_s3 as s3
from constructs import Construct

from daehwa.deployment.configuration import DeploymentSettings, name_everywhere
from daehwa.deployment.stack.acknowledgments import acknowledge
from daehwa.deployment.stack.lasting import name_for_good
from daehwa.deployment.stack.limits import ORIGIN_READ_SECONDS
from daehwa.server.safety import SAFETY_HEADERS
from daehwa.server.visiting import VIEWER_HEADER

API_PATHS = ("/api/*", "/auth/*", "/v1/*", "/chat")
INDEX_PATHS = ("/", "/chat.html")
FAULTS = (500, 502, 503, 504)
"""CloudFront keeps these for 10 s and gives them to whoever asks next at that edge, whatever the answer's own headers
and the cache policy say. What else it keeps goes by the answer's `no-store`, which all of ours have."""
_YEAR = Duration.days(365)
# Headers that CloudFront sets from settings of its own; the rest are given to it as they are.
_OWN_HEADERS = {"content-security-policy", "x-content-type-options", "referrer-policy"}

INDEX_CODE = f"""function handler(event) {{
  var request = event.request;
  if ({" || ".join(f"request.uri === '{path}'" for path in INDEX_PATHS)}) {{
    request.uri = '/index.html';
  }}
  return request;
}}
"""

VIEWER_CODE = f"""function handler(event) {{
  var request = event.request;
  request.headers['{VIEWER_HEADER}'] = {{ value: event.viewer.ip }};
  return request;
}}
"""


class ApiOrigin(Protocol):
    """What CloudFront must know of whatever answers `API_PATHS`."""

    @property
    def domain_name(self) -> str:
        """Its host name."""
        ...

    @property
    def path(self) -> str:
        """What is put before each path; empty for nothing."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """What is added to each request."""
        ...


class WebAddress(Construct):
    """The CloudFront distribution. `url` is the address that people use, without a slash at its end."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        settings: DeploymentSettings,
        page: s3.IBucket,
        api: ApiOrigin,
        firewall: str | None = None,
    ) -> None:
        super().__init__(scope, name)
        self._name = name_everywhere(settings.name, Stack.of(self).region)
        self._headers = _response_headers(self, self._name)
        certificate = None
        if settings.certificate is not None:
            certificate = acm.Certificate.from_certificate_arn(self, "Certificate", settings.certificate)
        self.distribution = cloudfront.Distribution(
            self,
            "Distribution",
            comment=settings.name,
            default_behavior=self._files(page),
            additional_behaviors=dict.fromkeys(API_PATHS, self._answers(api)),
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
            domain_names=[settings.domain] if settings.domain is not None else None,
            certificate=certificate,
            minimum_protocol_version=cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021 if certificate else None,
            web_acl_id=firewall,
            error_responses=[
                cloudfront.ErrorResponse(http_status=status, ttl=Duration.seconds(0)) for status in FAULTS
            ],
        )
        name_for_good(self.distribution, "Distribution")
        self.url = f"https://{settings.domain or self.distribution.distribution_domain_name}"
        _answer_findings(self.distribution, settings)

    def _files(self, page: s3.IBucket) -> cloudfront.BehaviorOptions:
        index = cloudfront.Function(
            self,
            "Index",
            comment="The page's addresses are one file",
            code=cloudfront.FunctionCode.from_inline(INDEX_CODE),
            runtime=cloudfront.FunctionRuntime.JS_2_0,
        )
        access = cloudfront.S3OriginAccessControl(self, "Access", origin_access_control_name=self._name)
        return cloudfront.BehaviorOptions(
            origin=origins.S3BucketOrigin.with_origin_access_control(page, origin_access_control=access),
            # What the files say of themselves counts (immutable or no-cache); compressed as brotli or gzip.
            cache_policy=cloudfront.CachePolicy.CACHING_OPTIMIZED,
            compress=True,
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
            response_headers_policy=self._headers,
            function_associations=[
                cloudfront.FunctionAssociation(function=index, event_type=cloudfront.FunctionEventType.VIEWER_REQUEST)
            ],
        )

    def _answers(self, api: ApiOrigin) -> cloudfront.BehaviorOptions:
        # By its host name, not as the API: `RestApiOrigin` would wait for the stage, which waits for the function,
        # which is told this distribution's address.
        origin = origins.HttpOrigin(
            api.domain_name,
            origin_path=api.path,
            custom_headers=dict(api.headers),
            protocol_policy=cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
            origin_ssl_protocols=[cloudfront.OriginSslPolicy.TLS_V1_2],
            read_timeout=Duration.seconds(ORIGIN_READ_SECONDS),
            keepalive_timeout=Duration.seconds(60),
        )
        # No policy hands on CloudFront's own header with the viewer's address and keeps the viewer's Host back.
        viewer = cloudfront.Function(
            self,
            "Viewer",
            comment="Says who asks",
            code=cloudfront.FunctionCode.from_inline(VIEWER_CODE),
            runtime=cloudfront.FunctionRuntime.JS_2_0,
        )
        return cloudfront.BehaviorOptions(
            origin=origin,
            function_associations=[
                cloudfront.FunctionAssociation(function=viewer, event_type=cloudfront.FunctionEventType.VIEWER_REQUEST)
            ],
            allowed_methods=cloudfront.AllowedMethods.ALLOW_ALL,
            cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
            origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
            compress=False,  # a stream must pass as it comes
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,  # a redirect would lose a body
            response_headers_policy=self._headers,
        )


def _response_headers(scope: Construct, name: str) -> cloudfront.ResponseHeadersPolicy:
    """Make the policy from the headers that the app itself sends: files and CloudFront's own answers have them too."""
    said = {name.decode(): value.decode() for name, value in SAFETY_HEADERS}
    referrer = said["referrer-policy"].upper().replace("-", "_")
    return cloudfront.ResponseHeadersPolicy(
        scope,
        "Headers",
        response_headers_policy_name=name,
        security_headers_behavior=cloudfront.ResponseSecurityHeadersBehavior(
            # The app sends one with each answer, and for an image a stricter one, which stays.
            content_security_policy=cloudfront.ResponseHeadersContentSecurityPolicy(
                content_security_policy=said["content-security-policy"], override=False
            ),
            content_type_options=cloudfront.ResponseHeadersContentTypeOptions(override=True),
            referrer_policy=cloudfront.ResponseHeadersReferrerPolicy(
                referrer_policy=cloudfront.HeadersReferrerPolicy[referrer], override=True
            ),
            strict_transport_security=cloudfront.ResponseHeadersStrictTransportSecurity(
                access_control_max_age=_YEAR, include_subdomains=False, override=True
            ),
        ),
        custom_headers_behavior=cloudfront.ResponseCustomHeadersBehavior(
            custom_headers=[
                cloudfront.ResponseCustomHeader(header=name, value=value, override=True)
                for name, value in said.items()
                if name not in _OWN_HEADERS
            ]
        ),
    )


def _answer_findings(distribution: cloudfront.Distribution, settings: DeploymentSettings) -> None:
    acknowledge(distribution, "CFR1", "Whom the page is for is decided by sign-in, not by country.")
    acknowledge(
        distribution,
        "CFR3",
        "Its logs have whole queries in them, and so the codes of sign-ins; the API's own log leaves queries out.",
    )
    if not settings.waf:
        acknowledge(distribution, "CFR2", "A firewall costs more than all the rest: it is the setting `waf`.")
    if settings.certificate is None:
        acknowledge(distribution, "CFR4", "CloudFront's own certificate fixes this; with a domain it is TLS 1.2.")
