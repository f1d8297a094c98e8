"""What the engine says of its own tasks."""

from pyspark.sql import SparkSession

from pipeline.spark.stage_cost import engine_use, last_engine_stage


def test_the_engines_exchanges_and_time_are_counted_by_job(spark: SparkSession) -> None:
    spark.range(10).count()
    since = last_engine_stage()
    assert since >= 0
    spark.sparkContext.setJobDescription("dedup pairs")
    assert spark.range(0, 20_000, 1, 2).repartition(3, "id").groupBy("id").count().count() == 20_000
    spark.sparkContext.setJobDescription(None)  # type: ignore[arg-type]
    spark.range(0, 10, 1, 2).repartition(2).collect()
    used = engine_use(since)
    assert used.shuffled["dedup pairs"] > 20_000 > used.shuffled[""] > 0
    assert used.shuffle_bytes == sum(used.shuffled.values())
    assert used.cpu_seconds > 0 and used.busy_seconds > 0
    assert engine_use(last_engine_stage()).shuffle_bytes == 0
