#!/usr/bin/env python3
"""Write endpoints.json: the partition and the Lambda endpoints of regions, by AWS's endpoint rules.

botocore's own engine evaluates the rules and the partitions that botocore ships; the same version always writes the
same file. With --check the file is compared, not written.
"""

import pathlib
import sys

import botocore
import vector_file
from botocore.endpoint_provider import EndpointProvider, RuleSetStandardLibrary
from botocore.loaders import Loader

OUTPUT = pathlib.Path(__file__).resolve().parent / "endpoints.json"

# Unknown to AWS's data: names that match a partition's pattern, then names that match none.
UNKNOWN_REGIONS = (
    "us-west-9",
    "us-east-10",
    "us-1-2",
    "us-gov-1",
    "us-gov-north-3",
    "us-iso-1",
    "us-iso-south-1",
    "us-isob-north-2",
    "us-isof-north-1",
    "eu-isoe-1",
    "eu-isoe-east-22",
    "eusc-de-west-7",
    "cn-south-01",
    f"cn-{'n' * 58}-1",
    "1-2-3",
    "aws",
    "aws-cn",
    "aws-cn-global-1",
    "cn-north",
    "cn-north-1a",
    "cn-north--1",
    "cn-north-east-1",
    "cn--1",
    "eu-isof-west-1",
    "eusc-de-1",
    "eusc-fr-west-1",
    "global",
    "local",
    "moon-base-1",
    "us-east-1a",
    "us-gov--1",
    "us-isoe-west-1",
    "x",
    "xcn-north-1",
    "n" * 63,
)

# AWS::UseFIPS and AWS::UseDualStack.
VARIANTS = {
    "plain": (False, False),
    "fips": (True, False),
    "dual_stack": (False, True),
    "fips_dual_stack": (True, True),
}


def vectors():
    # Not what a user has put into ~/.aws/models or AWS_DATA_PATH.
    loader = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    partitions = loader.load_data("partitions")
    provider = EndpointProvider(loader.load_service_model("lambda", "endpoint-rule-set-1"), partitions)
    library = RuleSetStandardLibrary(partitions)

    regions = set(UNKNOWN_REGIONS)
    for partition in partitions["partitions"]:
        regions.update(partition["regions"])
    for partition in loader.load_data("endpoints")["partitions"]:
        regions.update(partition["services"]["lambda"]["endpoints"])

    return {
        "botocore": botocore.__version__,
        "regions": {
            region: {
                "partition": library.aws_partition(region)["name"],
                **{
                    name: provider.resolve_endpoint(Region=region, UseFIPS=fips, UseDualStack=dual_stack).url
                    for name, (fips, dual_stack) in VARIANTS.items()
                },
            }
            for region in sorted(regions)
        },
    }


if __name__ == "__main__":
    sys.exit(vector_file.run(__doc__.splitlines()[0], OUTPUT, vectors))
