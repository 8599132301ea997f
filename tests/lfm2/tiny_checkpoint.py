# SPDX-License-Identifier: Apache-2.0
"""Writes a small, randomly initialised LFM2-Audio checkpoint that the real `liquid_audio` loader reads offline.

It has the published checkpoint's structure with a few small layers. What it says is noise: it shows that loading,
sharing, streaming and history work, and nothing about quality.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from liquid_audio import LFM2AudioDetokenizer, LFM2AudioModel
from liquid_audio.model.conformer.encoder import ConformerEncoderConfig
from liquid_audio.model.lfm2_audio import DepthformerConfig, LFM2AudioConfig
from liquid_audio.moshi.models import loaders
from liquid_audio.processor import PreprocessorConfig
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import Lfm2Config, PreTrainedTokenizerFast

# liquid_audio compares with the numbers 7, 128 and 130, whatever the tokenizer says.
SPECIAL_TOKENS = {
    0: "<|pad|>",
    1: "<|startoftext|>",
    6: "<|im_start|>",
    7: "<|im_end|>",
    128: "<|audio_start|>",
    130: "<|text_end|>",
}
VOCABULARY = 256 + len(SPECIAL_TOKENS)
AUDIO_END = 2048
HIDDEN = 64

CONFIG: dict[str, Any] = {
    "architectures": ["Lfm2AudioForConditionalGeneration"],
    "codebooks": 8,
    "tie_audio_embeddings": False,
    "semantic_codebook_factor": 100,
    "codebook_weight": "log",
    "interleaved_n_text": 6,
    "interleaved_n_audio": 12,
    "preprocessor": {
        "sample_rate": 16000,
        "normalize": "per_feature",
        "window_size": 0.025,
        "window_stride": 0.01,
        "window": "hann",
        "features": 128,
        "n_fft": 512,
        "log": True,
        "frame_splicing": 1,
        "dither": 1e-05,
        "pad_to": 0,
        "pad_value": 0.0,
    },
    "encoder": {
        "feat_in": 128,
        "feat_out": -1,
        "n_layers": 1,
        "d_model": HIDDEN,
        "subsampling": "dw_striding",
        "subsampling_factor": 8,
        "subsampling_conv_channels": 16,
        "causal_downsampling": False,
        "reduction": None,
        "reduction_position": None,
        "reduction_factor": 1,
        "ff_expansion_factor": 2,
        "self_attention_model": "rel_pos",
        "n_heads": 2,
        "att_context_size": [-1, -1],
        "xscaling": False,
        "untie_biases": True,
        "pos_emb_max_len": 500,
        "conv_kernel_size": 9,
        "conv_norm_type": "batch_norm",
        "conv_context_size": None,
        "dropout": 0.1,
        "dropout_pre_encoder": 0.1,
        "dropout_emb": 0.0,
        "dropout_att": 0.1,
    },
    "lfm": {
        "vocab_size": VOCABULARY,
        "hidden_size": HIDDEN,
        "intermediate_size": 128,
        "block_auto_adjust_ff_dim": False,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 8192,
        "conv_L_cache": 3,
        "layer_types": ["conv", "full_attention", "conv"],
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 7,
    },
    "depthformer": {"layers": 1, "dim": 64, "tie": True},
}

# Width 512 and the sliding window of 30 are fixed in liquid_audio's class.
DETOKENIZER_CONFIG: dict[str, Any] = {
    "model_type": "lfm2",
    "vocab_size": 8,
    "hidden_size": 512,
    "intermediate_size": 256,
    "block_auto_adjust_ff_dim": False,
    "num_hidden_layers": 3,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "conv_L_cache": 3,
    "layer_types": ["conv", "sliding_attention", "conv"],
    "sliding_window": 30,
    "pad_token_id": 0,
}


def write_checkpoint(folder: Path, *, mimi: bool = False) -> Path:
    """Writes a checkpoint into `folder`, which is made: the same files each time.

    Args:
        folder: Where the files go.
        mimi: Whether it has the Mimi codec (385 MB: the size is fixed in the library) in place of the LFM audio
            detokenizer (52 MB).
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=2))
    _write_tokenizer(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        _save(_model(), folder / "model.safetensors")
        if mimi:
            _save(loaders.get_mimi(None), folder / loaders.MIMI_NAME)
        else:
            _write_detokenizer(folder / "audio_detokenizer")
    return folder


def _model() -> LFM2AudioModel:
    parts = {name: part(**CONFIG[name]) for name, part in _PARTS.items()}
    model = LFM2AudioModel(LFM2AudioConfig(**{**CONFIG, **parts}))
    with torch.no_grad():
        # Large enough that answers vary with the question and from token to token.
        for module in model.modules():
            if isinstance(module, torch.nn.Linear | torch.nn.Embedding):
                module.weight.normal_(std=1.5 / module.weight.shape[-1] ** 0.5)
        words = model.lfm.embed_tokens.weight
        words[[0, 1, 6, *(number for number, letter in _letters().items() if ord(letter) > 126)]] = 0  # ASCII answers
        # Answers end, early and late, and so do their text and their sound; some begin to speak by themselves.
        words[7] *= 0.9
        words[[128, 130]] *= 1.3
        model.depth_embeddings[0].to_logits.weight[AUDIO_END] *= 1.5
    return model


_PARTS = {
    "preprocessor": PreprocessorConfig,
    "encoder": ConformerEncoderConfig,
    "lfm": Lfm2Config,
    "depthformer": DepthformerConfig,
}


def _write_detokenizer(folder: Path) -> None:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(DETOKENIZER_CONFIG, indent=2))
    layers = ["full_attention" if kind == "sliding_attention" else kind for kind in DETOKENIZER_CONFIG["layer_types"]]
    detokenizer = LFM2AudioDetokenizer(Lfm2Config(**{**DETOKENIZER_CONFIG, "layer_types": layers}))
    _save(detokenizer, folder / "model.safetensors")


def _letters() -> dict[int, str]:
    free = (number for number in range(VOCABULARY) if number not in SPECIAL_TOKENS)
    return dict(zip(free, sorted(pre_tokenizers.ByteLevel.alphabet()), strict=True))


def _write_tokenizer(folder: Path) -> None:
    numbers = {text: number for number, text in (SPECIAL_TOKENS | _letters()).items()}
    tokenizer = Tokenizer(models.BPE(vocab=numbers, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in SPECIAL_TOKENS.values()])
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<|pad|>").save_pretrained(folder)


def _save(module: torch.nn.Module, file: Path) -> None:
    tensors = {name: tensor.clone().contiguous() for name, tensor in module.state_dict().items()}
    save_file(tensors, file, metadata={"format": "pt"})
