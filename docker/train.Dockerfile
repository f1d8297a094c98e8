# The training wing: torch, transformers, the trainer. No Spark and no Java.
#
#     docker build --file docker/train.Dockerfile --build-arg WANYU_REVISION=$(git rev-parse HEAD) --tag wanyu-train .
#
# PyPI's torch brings CUDA. For machines without a GPU: --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu

FROM python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d AS base
ENV PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 PATH=/opt/venv/bin:$PATH

FROM base AS build
ARG TORCH_INDEX=https://pypi.org/simple
WORKDIR /build
COPY constraints.txt ./
RUN python -m venv /opt/venv \
 && pip install --no-cache-dir --index-url "$TORCH_INDEX" --constraint constraints.txt torch
RUN pip install --no-cache-dir --constraint constraints.txt \
      transformers safetensors rich pyarrow tokenizers sentencepiece numpy xxhash setuptools
ARG WANYU_REVISION
COPY . .
RUN test -n "$WANYU_REVISION" || { echo "error: --build-arg WANYU_REVISION=\$(git rev-parse HEAD)" >&2; exit 2; }; \
    pip install --no-cache-dir --no-build-isolation --no-deps . \
 && pip uninstall --yes pip

FROM base AS run
ENV OMP_NUM_THREADS=1
COPY --from=build /opt/venv /opt/venv
RUN useradd --uid 10001 --create-home --home-dir /home/wanyu --shell /usr/sbin/nologin wanyu \
 && install --directory --owner wanyu /opt/wanyu /data \
 && ln -s /opt/venv/lib/python3.11/site-packages/train /opt/wanyu/
USER 10001
WORKDIR /opt/wanyu
RUN python train/pretrain.py --help > /dev/null
CMD ["python", "train/pretrain.py", "--help"]
