"""A real local model behind llama.cpp's server: run by test_local_model in a process of its own.

The weights are random, but for a liking of each token for what comes next: at a reply's beginning it writes braces
without end, after a tool's result it says ``Done``. So a call that fits a tool's schema is the work of the server's
grammar, and of nothing else.
"""

import sys
import threading
from itertools import pairwise
from pathlib import Path

import gguf
import numpy as np
import xllamacpp

SIZE, HEADS, INNER = 64, 4, 128
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
TOKENS = ["<unk>", "<s>", "</s>", *BYTES, "▁", *map(chr, range(33, 127))]
SPECIAL = 3 + len(BYTES)
AT_FIRST = {"{": 4, '"': 3, "}": 3, ":": 2, ",": 2, "1": 2}
AFTER_A_RESULT = ("~", "D", "o", "n", "e", "</s>")

# The form of Llama 3's calls: a bare object. A reply to a result begins with a mark, which the model knows.
TEMPLATE = """\
{%- if tools %}{{ "<|start_header_id|>system<|end_header_id|>\n\n" }}
{%- for tool in tools %}{{ tool | tojson }}{{ "\n" }}{% endfor %}{{ "<|eot_id|>" }}{% endif %}
{%- for message in messages %}
{%- if message.role == "tool" %}
{{- "<|start_header_id|>ipython<|end_header_id|>\n\n" + message.content | tojson + "<|eot_id|>" }}
{%- elif message.tool_calls %}{%- set call = message.tool_calls[0].function %}
{{- "<|start_header_id|>assistant<|end_header_id|>\n\n" }}
{{- '{"name": "' + call.name + '", "parameters": ' }}{{- call.arguments | tojson }}{{- "}<|eot_id|>" }}
{%- else %}
{{- "<|start_header_id|>" + message.role + "<|end_header_id|>\n\n" + message.content + "<|eot_id|>" }}
{%- endif %}{%- endfor %}
{%- if add_generation_prompt %}{{- "<|start_header_id|>assistant<|end_header_id|>\n\n" }}
{%- if messages[-1].role == "tool" %}{{- "~" }}{%- endif %}{%- endif %}"""


def write(path: Path) -> None:
    """Write the model as a GGUF file."""
    random = np.random.default_rng(7)

    def normal(scale: float, *shape: int) -> np.ndarray:
        return (random.standard_normal(shape) * scale).astype(np.float32)

    words, ones = len(TOKENS), np.ones(SIZE, np.float32)
    embedding, head = normal(0.3, words, SIZE), normal(0.3, words, SIZE)
    embedding[:, :8] = head[:, :8] = 0  # where the likings stand
    embedding[:, 0] = 8
    head[:SPECIAL] = -0.001
    for token, liking in AT_FIRST.items():
        head[TOKENS.index(token), 0] = liking
    for place, (token, following) in enumerate(pairwise(AFTER_A_RESULT), start=1):
        embedding[TOKENS.index(token), place] = 8
        head[TOKENS.index(following), place] = 9
    file = gguf.GGUFWriter(str(path), "llama")
    file.add_context_length(2048)
    file.add_embedding_length(SIZE)
    file.add_block_count(1)
    file.add_feed_forward_length(INNER)
    file.add_head_count(HEADS)
    file.add_head_count_kv(HEADS)
    file.add_layer_norm_rms_eps(1e-5)
    file.add_rope_dimension_count(SIZE // HEADS)
    file.add_vocab_size(words)
    file.add_tokenizer_model("llama")
    file.add_tokenizer_pre("default")
    file.add_token_list(TOKENS)
    file.add_token_scores([0.0] * SPECIAL + [-float(n) for n in range(words - SPECIAL)])
    file.add_token_types([2, 3, 3, *[6] * len(BYTES), *[1] * (words - SPECIAL)])
    file.add_bos_token_id(1)
    file.add_eos_token_id(2)
    file.add_unk_token_id(0)
    file.add_chat_template(TEMPLATE)
    squares = dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), (SIZE, SIZE))
    shapes = squares | {
        "ffn_gate": (INNER, SIZE),
        "ffn_up": (INNER, SIZE),
        "ffn_down": (SIZE, INNER),
    }
    tensors = {
        "token_embd": embedding,
        "output_norm": ones,
        "output": head,
        "blk.0.attn_norm": ones,
        "blk.0.ffn_norm": ones,
        **{f"blk.0.{name}": normal(0.01, *shape) for name, shape in shapes.items()},
    }
    for name, tensor in tensors.items():
        file.add_tensor(f"{name}.weight", tensor)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


def main(path: Path) -> None:
    """Write the model, serve it, and say where."""
    write(path)
    options = xllamacpp.CommonParams()
    options.model.path = str(path)
    options.n_ctx = 2048
    options.n_parallel = 1
    options.cpuparams.n_threads = 1
    options.sampling.temp = 0.0
    options.port = 0
    options.use_jinja = True
    server = xllamacpp.Server(options)
    sys.stdout.write(f"serving at {server.listening_address}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
