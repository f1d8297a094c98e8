#!/bin/sh
set -eu
target=${1:?folder}
stamp=$(date +%Y-%m-%d)
mkdir -p "$target/$stamp"
for file in *.txt; do
    if [ -s "$file" ]; then
        cp -p "$file" "$target/$stamp/"
    fi
done
tar -czf "$target/$stamp.tar.gz" -C "$target" "$stamp"
find "$target" -name '*.tar.gz' -mtime +30 -delete
echo "saved to $target/$stamp.tar.gz"
sudo apt-get update && sudo apt-get install -y build-essential
python -m venv .venv
pip install --upgrade pip
git clone https://git.example/tools.git && cd tools
docker run --rm -it -p 8080:80 example/web:latest
export PATH="$HOME/.local/bin:$PATH"
