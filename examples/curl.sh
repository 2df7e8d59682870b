#!/usr/bin/env bash
# The plain HTTP requests, against the simulator: start it with `hookline sim` in another terminal.
# BASE_URL is its address; for the API itself set BASE_URL and ANTHROPIC_API_KEY.
set -euo pipefail

BASE_URL="${BASE_URL:-http://127.0.0.1:8765}"
KEY="${ANTHROPIC_API_KEY:-simulated}"
MODEL="claude-haiku-4-5"
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

# POST what stands on stdin (an image makes the body too long for an argument); fail on an error.
ask() {
    echo "== $1"
    curl --silent --show-error --fail-with-body "$BASE_URL/v1/messages" \
        --header "x-api-key: $KEY" \
        --header "anthropic-version: 2023-06-01" \
        --header "content-type: application/json" \
        --data-binary @-
    echo
}

ask "basic" <<JSON
{
  "model": "$MODEL",
  "max_tokens": 1024,
  "messages": [
    {"role": "user", "content": "Hello, Claude"}
  ]
}
JSON

ask "several turns" <<JSON
{
  "model": "$MODEL",
  "max_tokens": 1024,
  "messages": [
    {"role": "user", "content": "Hello, Claude"},
    {"role": "assistant", "content": "Hello!"},
    {"role": "user", "content": "Can you describe LLMs to me?"}
  ]
}
JSON

ask "prefill" <<JSON
{
  "model": "$MODEL",
  "max_tokens": 1,
  "messages": [
    {"role": "user", "content": "What is latin for Ant? (A) Apoidea, (B) Rhopalocera, (C) Formicidae"},
    {"role": "assistant", "content": "The answer is ("}
  ]
}
JSON

IMAGE="$(base64 <"$HERE/ant.png" | tr -d '\n')"
ask "image as base64" <<JSON
{
  "model": "$MODEL",
  "max_tokens": 1024,
  "messages": [
    {"role": "user", "content": [
      {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "$IMAGE"}},
      {"type": "text", "text": "What is in the above image?"}
    ]}
  ]
}
JSON

ask "image by URL" <<JSON
{
  "model": "$MODEL",
  "max_tokens": 1024,
  "messages": [
    {"role": "user", "content": [
      {"type": "image", "source": {"type": "url", "url": "https://images.example.com/ant.png"}},
      {"type": "text", "text": "What is in the above image?"}
    ]}
  ]
}
JSON
