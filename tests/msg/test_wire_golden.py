"""Every recorded binary message decodes to the last byte, to the recorded values, and encodes back."""

import pytest

from afanasy_py.msg.registry import decode_message, encode_message
from tests.msg.wire_samples import Sample, describe_message, load_samples, plain

SAMPLES = load_samples()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.file)
def test_a_recorded_message_decodes_and_encodes_back(sample: Sample) -> None:
    value = decode_message(sample.type, sample.data)
    assert describe_message(value, sample.type) == plain(sample.decoded)
    assert encode_message(sample.type, value) == sample.data


def test_the_recordings_are_of_all_types_that_travel() -> None:
    assert {sample.type.name for sample in SAMPLES} >= {
        "TTESTDATA", "TString", "TStringList", "TStatData", "TMonitor", "TMonitorsList", "TMonitorEvents",
        "TRenderRegister", "TRenderUpdate", "TRenderEvents", "TRendersResourcesRequestIds", "TRendersList",
        "TRendersResources", "TUsersList", "TUserJobsOrder", "TBranchesList", "TPoolsList", "TJobsList",
        "TJobProgress", "TJobsWeight", "TJob", "TBlocksProgress", "TBlocksProperties", "TBlocks", "TTask",
        "TTaskFiles",
    }  # fmt: skip
