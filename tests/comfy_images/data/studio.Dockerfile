# syntax=docker/dockerfile:1
# Environment studio. Written by `comfyburst environments dockerfile`: change its TOML.
FROM python:3.12-slim-bookworm
LABEL comfyburst.environment="studio" comfyburst.digest="fd37b35b9970084a9b7340326c5441417950e4663abad3a34456004ff687a8e3"
ENV PIP_DISABLE_PIP_VERSION_CHECK="1"
ENV PIP_NO_CACHE_DIR="1"
ENV PYTHONUNBUFFERED="1"
ENV NVIDIA_VISIBLE_DEVICES="all"
ENV NVIDIA_DRIVER_CAPABILITIES="compute,utility,video"

# what every step below needs
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates ffmpeg git libgl1 \
    libglib2.0-0 libsndfile1 \
    && rm -rf /var/lib/apt/lists

# install the Python packages of the environment
RUN python3.12 -m venv /opt/comfyui/venv \
    && /opt/comfyui/venv/bin/python -c \
    'import pathlib, sys; pathlib.Path(sys.argv[1]).write_text('"'"''"'"'.join(f'"'"'{line}\n'"'"' for line in sys.argv[2:]))' \
    /opt/comfyui/constraints.txt \
    'clip @ git+https://git.example/openai/CLIP@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' \
    numpy==2.3.5 torch==2.9.1 transformers==4.57.6 xformers==0.0.33 \
    && /opt/comfyui/venv/bin/python -m pip install --no-input --progress-bar off --extra-index-url \
    https://wheels.example/whl/cu128 -c /opt/comfyui/constraints.txt \
    'clip @ git+https://git.example/openai/CLIP@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' \
    torch==2.9.1 xformers==0.0.33

# install ComfyUI 0.8.1
RUN git init --quiet /opt/comfyui/ComfyUI \
    && git -C /opt/comfyui/ComfyUI fetch --quiet --depth 1 --no-tags \
    https://github.com/comfyanonymous/ComfyUI 071ff3e208ab8a6d4ac1a9d1bdcf5b73b69ed92c \
    && git -C /opt/comfyui/ComfyUI -c advice.detachedHead=false checkout --quiet --detach \
    071ff3e208ab8a6d4ac1a9d1bdcf5b73b69ed92c \
    && sh -c '[ ! -f "$0" ] || exec "$@"' /opt/comfyui/ComfyUI/requirements.txt \
    /opt/comfyui/venv/bin/python -m pip install --no-input --progress-bar off --extra-index-url \
    https://wheels.example/whl/cu128 -c /opt/comfyui/constraints.txt -r \
    /opt/comfyui/ComfyUI/requirements.txt

# install the custom nodes ComfyUI-Zoom
RUN git init --quiet /opt/comfyui/ComfyUI/custom_nodes/ComfyUI-Zoom \
    && git -C /opt/comfyui/ComfyUI/custom_nodes/ComfyUI-Zoom fetch --quiet --depth 1 --no-tags \
    https://git.example/someone/ComfyUI-Zoom.git bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb \
    && git -C /opt/comfyui/ComfyUI/custom_nodes/ComfyUI-Zoom -c advice.detachedHead=false checkout \
    --quiet --detach bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb \
    && sh -c '[ ! -f "$0" ] || exec "$@"' \
    /opt/comfyui/ComfyUI/custom_nodes/ComfyUI-Zoom/requirements.txt /opt/comfyui/venv/bin/python \
    -m pip install --no-input --progress-bar off --extra-index-url \
    https://wheels.example/whl/cu128 -c /opt/comfyui/constraints.txt -r \
    /opt/comfyui/ComfyUI/custom_nodes/ComfyUI-Zoom/requirements.txt

# install the custom nodes frames
RUN git init --quiet /opt/comfyui/ComfyUI/custom_nodes/frames \
    && git -C /opt/comfyui/ComfyUI/custom_nodes/frames fetch --quiet --depth 1 --no-tags \
    https://git.example/someone/comfyui_frames cccccccccccccccccccccccccccccccccccccccc \
    && git -C /opt/comfyui/ComfyUI/custom_nodes/frames -c advice.detachedHead=false checkout \
    --quiet --detach cccccccccccccccccccccccccccccccccccccccc \
    && sh -c 'cd "$0" && exec "$@"' /opt/comfyui/ComfyUI/custom_nodes/frames \
    /opt/comfyui/venv/bin/python install.py

# start it once with all its nodes
RUN sh -c 'cd "$0" && exec "$@"' /opt/comfyui/ComfyUI sh -c \
    'said=$("$@" 2>&1) || { printf "%s\n" "$said"; exit 1; }; printf "%s\n" "$said"; case $said in *"(IMPORT FAILED)"*) exit 1;; esac' \
    sh /opt/comfyui/venv/bin/python main.py --cpu --quick-test-for-ci

# Nodes run as nobody's administrator. Models are mounted: they are no part of the image.
RUN useradd --create-home --uid 10001 comfy \
    && mkdir -p /opt/comfyui/ComfyUI/input /opt/comfyui/ComfyUI/models /opt/comfyui/ComfyUI/output \
    /opt/comfyui/ComfyUI/temp /opt/comfyui/ComfyUI/user \
    && chown -R comfy /opt/comfyui/ComfyUI/input /opt/comfyui/ComfyUI/models \
    /opt/comfyui/ComfyUI/output /opt/comfyui/ComfyUI/temp /opt/comfyui/ComfyUI/user
USER comfy
WORKDIR /opt/comfyui/ComfyUI
VOLUME ["/opt/comfyui/ComfyUI/models"]
# ComfyUI asks nobody who they are: publish this port on loopback, -p 127.0.0.1:8188:8188.
EXPOSE 8188
CMD ["/opt/comfyui/venv/bin/python", "main.py", "--fast", "--reserve-vram", "1.5", "--listen", "0.0.0.0", "--port", "8188"]
