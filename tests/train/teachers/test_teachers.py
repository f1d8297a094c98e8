"""Teachers and their routes: who reads what, in batches of one shape too."""

import numpy as np
import pytest
import torch
from teaching import CPU, batch_of, built, config_of, labelled, loss_of, sequences_of

from train.corpus.vocabulary import Vocabulary, open_vocabulary
from train.joint.build import build_objectives
from train.model.attention import build_layout, filled_lengths

ROOM = 160  # tokens of a batch of one shape


def all_three(corpus, teachers: str, pooling: str = "mean") -> object:
    settings = {"objectives.distillation.top_k": 8, "objectives.relations.relation_heads": 4}
    return config_of(corpus, teachers=teachers, **settings, **{"objectives.sentence_vectors.pooling": pooling})


def test_a_language_s_own_teacher_goes_before_the_one_of_all(corpus, folders) -> None:
    def routes(teachers: str) -> tuple[tuple[str, ...], list[int]]:
        config = all_three(corpus, teachers)
        objectives = build_objectives(config, open_vocabulary(corpus.tokenizer), ("eng_Latn", "rus_Cyrl", "zho_Hans"))
        found = objectives["relations"].teachers
        return found.names, found.routes.owner.tolist()

    one, two = folders
    assert routes(f"*={one},rus_Cyrl={two}") == (("rus_Cyrl", "others"), [1, 0, 1])
    assert routes(f"zho_Hans={one},eng_Latn={one}") == (("eng_Latn",), [0, -1, 0])
    assert routes(f"*={one},rus_Cyrl={one}") == (("rus_Cyrl",), [0, 0, 0])
    assert routes(f"*={two}") == (("others",), [0, 0, 0])


def test_what_the_objectives_share_is_in_the_batch_once(corpus, folders, student, vocabulary: Vocabulary) -> None:
    objectives = built(all_three(corpus, f"eng_Latn={folders[0]},*={folders[1]}"), student)
    sequences = sequences_of(vocabulary)
    labels = labelled(objectives, sequences)
    assert [name for name, one in labels.items() if "eng_Latn" in one.parts] == ["distillation"]
    assert [name for name, one in labels.items() if "eng_Latn.text" in one.parts] == ["sentence_vectors"]
    own = np.concatenate([labels["distillation"].arrays[f"{name}.tokens"] for name in ("eng_Latn", "others")])
    assert np.sort(own).tolist() == list(range(sequences.lengths.sum()))
    assert labels["distillation"].parts["eng_Latn"].local_attention == 6  # the teacher's, not the student's
    written = labels["sentence_vectors"].arrays["eng_Latn.ids"]
    assert written.tolist() == sequences.tokens[labels["distillation"].arrays["eng_Latn.tokens"]].tolist()


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_batch_of_one_shape_has_the_same_losses(corpus, folders, student, vocabulary: Vocabulary, pooling) -> None:
    """Padded as on a GPU, with sequences of padding behind the texts."""
    objectives = built(all_three(corpus, f"eng_Latn={folders[0]},zho_Hans={folders[1]}", pooling), student)
    sequences = sequences_of(vocabulary)
    plain = batch_of(objectives, sequences)
    labels = {}
    for name, one in objectives.items():
        labels[name] = one.labeller.pad(one.labeller(sequences, 0, labels), ROOM)
    spare = torch.zeros(ROOM - len(plain.input_ids), dtype=torch.int64)
    padded = plain._replace(
        input_ids=torch.cat((plain.input_ids, spare)),
        positions=torch.cat((plain.positions, spare)),
        layout=build_layout(filled_lengths(sequences.lengths, ROOM, 32), 8, CPU, torch.float32),
        arrays={name: {k: torch.from_numpy(v) for k, v in one.arrays.items()} for name, one in labels.items()},
    )
    for name in objectives:
        one, two = (loss_of(student, objectives, batch, name) for batch in (plain, padded))
        torch.testing.assert_close(one, two, atol=1e-4, rtol=1e-5)
        assert one[1][:, 2].sum() > 0
