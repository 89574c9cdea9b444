# docker build --tag emorec .
# docker run --rm --user "$(id -u)" -v "$PWD:/data" emorec predict talk.mp4
#
# With a GPU: docker build --build-arg BASE=nvidia/cuda:13.0.1-runtime-ubuntu24.04 --build-arg TORCH=auto --tag emorec .
# and docker run --gpus all ...
ARG BASE=python:3.12-slim-bookworm
FROM ${BASE}

# The builds of torch: cpu, or those for a version of CUDA such as cu130; auto takes PyPI's, with CUDA.
ARG TORCH=cpu

SHELL ["/bin/bash", "-o", "pipefail", "-c"]

# Images of CUDA have no Python.
# hadolint ignore=DL3008
RUN if ! command -v python3 > /dev/null; then \
        apt-get update && apt-get install --yes --no-install-recommends python3 python3-venv \
        && rm -rf /var/lib/apt/lists/*; \
    fi \
    && python3 -m venv /opt/emorec \
    && /opt/emorec/bin/pip install --no-cache-dir 'uv>=0.9'

COPY pyproject.toml hatch_build.py README.md LICENSE constraints.txt /src/
COPY configs /src/configs
COPY emorec /src/emorec

RUN if [ "${TORCH}" != auto ]; then export UV_TORCH_BACKEND="${TORCH}"; fi \
    && /opt/emorec/bin/uv pip install --no-cache --python /opt/emorec/bin/python \
        --constraint /src/constraints.txt '/src[explain,hub,onnx]' \
    && install --directory --owner=1000 /data

# Users are numbers: images of Ubuntu have a user 1000 already, and --user may name any. None has a home, so that
# libraries keep their caches in /tmp.
ENV PATH=/opt/emorec/bin:${PATH} HOME=/tmp USER=emorec
USER 1000
# Videos are named and results written below this folder.
WORKDIR /data
ENTRYPOINT ["emorec"]
CMD ["--help"]
