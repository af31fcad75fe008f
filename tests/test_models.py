"""The list of models that are shipped."""

from __future__ import annotations

import json

import pytest

import vqaudio
from vqaudio.cli.facts import models as list_models
from vqaudio.models import main
from vqaudio.registry import DEFAULT_MODEL, decoder_of, find, legacy_models, shipped_models


def test_every_model_is_listed_with_what_it_is_for(capsys):
    assert main([]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split()[0] == "name"
    assert [line.split()[0] for line in lines] == [*shipped_models(), *legacy_models(), "series-base"]
    assert [line.split()[0] for line in lines if line.split()[1] == "*"] == [DEFAULT_MODEL]
    assert all(len(line.rsplit("  ", 1)[1]) > 10 for line in lines)


def test_the_package_lists_them_too(capsys):
    assert main(["--json"]) == 0
    assert json.loads(capsys.readouterr().out) == vqaudio.models()
    assert list_models() == vqaudio.models()


@pytest.mark.parametrize("name", [*shipped_models(), *legacy_models()])
def test_what_is_listed_is_what_the_codec_says(name, capsys):
    assert main(["--json"]) == 0
    facts = next(one for one in json.loads(capsys.readouterr().out) if one["name"] == name)
    codec = vqaudio.load(name)
    assert facts["kbps"] == pytest.approx(codec.kbps(codec.n_codebooks))
    assert facts["codebook_sizes"] == [stream.alphabet for stream in codec.streams]
    assert (facts["sample_rate_hz"], facts["frame_rate_hz"]) == (codec.sample_rate, codec.frame_rate)
    assert facts["fingerprint"] == codec.fingerprint
    assert facts["decoder_fingerprint"] == decoder_of(find(name)).fingerprint
    assert facts["decode_only"] == codec.networks.decode_only == (name in legacy_models())
    assert facts["prior_bytes"] == (codec.prior_file.stat().st_size if codec.prior_file else 0)
    assert facts["speakers"] == len(codec.speakers or codec.prior.fields["speaker"])
