"""What is not said follows the model's size and the number of examples."""

from train.finetuning.recipe import Recipe, recipe_for


def test_small_models_learn_fast_and_few_examples_long() -> None:
    assert recipe_for(110_000_000, 400_000) == Recipe(3, 5e-5, 0.9)
    assert recipe_for(110_000_000, 700) == Recipe(20, 5e-5, 0.9)
    assert recipe_for(4_000_000, 400_000) == Recipe(3, 1e-3, 1.0)
