# The data wing: Spark, its jars (of the package pyspark), the jobs. A master, worker, history server, driver or executor,
# on standalone clusters, compose and Kubernetes: docker/entrypoint.sh.
#
#     docker build --file docker/spark.Dockerfile --build-arg WANYU_REVISION=$(git rev-parse HEAD) --tag wanyu-spark .
#
# No hadoop-aws and no other connector: Spark never touches a store. All files are read and written by tasks in Python,
# through fsspec.

FROM eclipse-temurin:21.0.9_10-jre-jammy AS java

FROM python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d AS base
ENV PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 PATH=/opt/venv/bin:$PATH

FROM base AS build
ARG WANYU_REVISION
WORKDIR /build
COPY constraints.txt ./
RUN python -m venv /opt/venv && pip install --no-cache-dir --constraint constraints.txt setuptools
COPY . .
# The extras: filesystems of Google's and Azure's stores, gs:// and abfs://, and the client of OpenLineage.
RUN test -n "$WANYU_REVISION" || { echo "error: --build-arg WANYU_REVISION=\$(git rev-parse HEAD)" >&2; exit 2; }; \
    pip install --no-cache-dir --no-compile --no-build-isolation --constraint constraints.txt '.[stores,lineage]' \
 && pip uninstall --yes setuptools pip
# A registry keeps whole seconds of a file's time, and the kernels' cache goes by the time of their sources.
RUN find /opt/venv -name '*.py' -exec touch --date @1700000000 {} + \
 && { python -m compileall -q /opt/venv/lib || true; } # some packages bring files that are not meant to compile

FROM base AS run
ENV JAVA_HOME=/opt/java \
    SPARK_HOME=/opt/venv/lib/python3.11/site-packages/pyspark \
    PYSPARK_PYTHON=/opt/venv/bin/python \
    NUMBA_CACHE_DIR=/opt/wanyu/kernels
COPY --from=java /opt/java/openjdk /opt/java
COPY --from=build /opt/venv /opt/venv
COPY docker/entrypoint.sh docker/decommission.sh docker/fetch.py /opt/
# The commands of README.md hold in /opt/wanyu as they stand. Spark's user needs a name.
RUN useradd --uid 10001 --create-home --home-dir /home/wanyu --shell /usr/sbin/nologin wanyu \
 && install --directory --owner wanyu /opt/wanyu /opt/wanyu/kernels /data \
 && ln -s /opt/venv/lib/python3.11/site-packages/jobs /opt/venv/lib/python3.11/site-packages/tokenizer /opt/wanyu/
USER 10001
WORKDIR /opt/wanyu
# Tries the image, with the engine (--partitions), and leaves its kernels compiled. On a processor of another kind they
# are compiled anew, once a container.
RUN --mount=type=bind,source=tests/archive,target=/tmp/archive \
    spark-submit --master 'local[2]' --driver-memory 1g jobs/corpus.py \
      --input /tmp/archive --root /tmp/tried --config jobs/demo.toml --partitions 2 \
 && rm -rf /tmp/tried /tmp/spark-*
ENTRYPOINT ["/opt/entrypoint.sh"]
