"""The bucket with the page's files, private: CloudFront alone reads it. The deploy command fills and empties it."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_s3 as s3
from constructs import Construct

from daehwa.deployment.stack.acknowledgments import acknowledge
from daehwa.deployment.stack.lasting import name_for_good


class PageBucket(Construct):
    """A bucket without versions: all in it is built from the package again. It goes with the stack."""

    def __init__(self, scope: Construct, name: str) -> None:
        super().__init__(scope, name)
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            removal_policy=RemovalPolicy.DESTROY,
            lifecycle_rules=[s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(1))],
        )
        name_for_good(self.bucket, "PageFiles")
        acknowledge(
            self.bucket,
            "S1",
            "Public files, read by CloudFront alone; a log of its reads would need a second bucket and tell nothing.",
        )
