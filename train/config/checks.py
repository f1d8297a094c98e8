"""What fields say about one another."""

from schemas.errors import UserError
from train.config.objectives import OF_TRANSLATIONS, TAUGHT
from train.config.tables import PretrainConfig
from train.optim.schedule import Schedule, first_without_weight


def check(config: PretrainConfig) -> None:
    """UserError, one line, for the first that do not fit."""
    model, data, optim, run = config.model, config.data, config.optim, config.run
    if model.init is None and model.hidden_size % (8 * model.num_attention_heads):
        raise UserError(
            f"hidden_size = {model.hidden_size} is no multiple of 8 * num_attention_heads = "
            f"{8 * model.num_attention_heads}: change one of them"
        )
    if model.init is None and 0 < model.max_position_embeddings < data.max_seq_len:
        raise UserError(
            f"max_seq_len = {data.max_seq_len} is more than max_position_embeddings = {model.max_position_embeddings}: "
            "make the sequences shorter, or give the model more positions"
        )
    if run.export_language and not model.language_embedding:
        raise UserError(
            f"export_language = {run.export_language}, but the run has no language embedding: leave it out, or begin a "
            "run with --language_embedding true"
        )
    if optim.warmup_ratio + optim.decay_ratio > 1:
        raise UserError("warmup_ratio + decay_ratio is more than 1: make one of them smaller")
    if data.global_batch_tokens % data.streams:
        below = data.bin_tokens * data.streams
        raise UserError(
            f"global_batch_tokens = {data.global_batch_tokens} does not divide into streams = {data.streams}: "
            f"take {below} or {below + data.streams} tokens, or other streams"
        )
    if data.bin_tokens < data.max_seq_len:
        raise UserError(
            f"a stream's share, global_batch_tokens / streams = {data.bin_tokens}, is less than max_seq_len = "
            f"{data.max_seq_len}: take fewer streams, a larger batch or shorter sequences"
        )
    if data.micro_batch_tokens < data.bin_tokens:
        raise UserError(
            f"micro_batch_tokens = {data.micro_batch_tokens} is less than a stream's share, global_batch_tokens / "
            f"streams = {data.bin_tokens}: take more streams or a larger micro_batch_tokens"
        )
    taught = [name for name in config.objectives if name in TAUGHT]
    if taught and not model.teachers:
        raise UserError(f"objectives.{taught[0]} has no teacher: give --teachers '*=DIR', or take the objective out")
    if model.teachers and not taught:
        raise UserError(
            f"teachers are given and no objective asks them: name one, as --objectives.{TAUGHT[0]}.weight 1, or take "
            "--teachers out"
        )
    weights = {name: Schedule.parse(str(table.weight)) for name, table in config.objectives.items()}
    names = ", ".join(weights)
    if not any(value for one in weights.values() for _, value in one.points):
        raise UserError(f"all objectives ({names}) have weight 0 throughout the run: give one of them more")
    step = first_without_weight(list(weights.values()), 0, config.run.steps, config.run.steps)
    if step is not None:
        raise UserError(
            f"at step {step} of the schedules all objectives ({names}) have weight 0: give one of them more there"
        )
    asking = [name for name in config.objectives if name in OF_TRANSLATIONS]
    if asking and data.parallel_text is None:
        raise UserError(f"the objective {asking[0]} learns from translations: give --parallel_text FOLDER")
    if "contrastive" in asking and data.parallel_pairs < 2:
        raise UserError(
            f"parallel_pairs = {data.parallel_pairs}, but the objective contrastive needs others to tell a translation "
            "from: take 2 or more"
        )
    if data.parallel_text is not None and not asking:
        raise UserError(
            f"parallel_text = {data.parallel_text}, but no objective learns from translations: name one, as "
            "--objectives.tlm.weight 1, or take parallel_text out"
        )
