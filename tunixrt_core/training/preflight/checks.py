"""Preflight checks by code: what each promises, and its name."""

from __future__ import annotations

from typing import NamedTuple


class Check(NamedTuple):
    promise: str
    fault: str


CHECKS: dict[str, Check] = {
    "data_changed": Check("The data file is the manifest's", "The data file changed or is gone"),
    "data_unreadable": Check("Every line of the data file is a row", "Lines that are no rows"),
    "row_counts": Check("The manifest counts its rows as they are", "Counts unlike those of the data file"),
    "early_stopping": Check("Early stopping has an eval loss", "Early stopping without an eval loss"),
    "model": Check("The model and its tokenizer can be read", "The model or its tokenizer cannot be read"),
    "model_config": Check("The model's config fits its weight files", "The model's files do not fit together"),
    "weights_not_finite": Check("All weights are numbers", "Weights that are no numbers"),
    "weights_constant": Check("Every matrix holds more than one value", "Matrices of a single value"),
    "updates_lost": Check("Trained weights keep their updates", "Updates are lost to rounding"),
    "dead_embedding": Check("The model knows the tokens of the rows", "Tokens that the model does not know"),
    "lora_matches_nothing": Check("LoRA finds modules to train", "LoRA matches nothing"),
    "tile_size": Check("The tile size divides the weights", "The tile size does not divide the weights"),
    "nothing_trained": Check("Every row trains something", "Nothing trained in a row"),
    "answer_cut": Check("Every answer is trained on", "Answers are cut"),
    "nothing_fits": Check("There are rows to train on", "No row to train on"),
    "rows_left_out": Check("No row is too long", "Rows are left out"),
    "steps_dropped": Check("No row loses steps", "Rows lose steps"),
    "longer_than_model": Check("Rows fit the model's context", "Rows are longer than the model's context"),
    "bos": Check("One start token per row", "Start token doubled or missing"),
    "end_token": Check("Rows end with the end of a turn", "End of turn missing"),
    "stop_elsewhere": Check("Other programs stop where the rows end", "Other programs would not stop"),
    "control_tokens": Check("No control tokens in the text", "Control tokens in the text"),
    "text_changed": Check("Rows come back through the tokenizer", "Text that the tokenizer changes"),
    "answer_misread": Check("Every answer is read back", "Answers that read back as others"),
    "template": Check("Prompts are those of generation", "Prompts unlike those of generation"),
    "chat_template": Check("The model's own template says the same", "Unlike the model's own template"),
    "no_chat_template": Check("The model knows chat turns", "A base model without a template"),
    "eval_in_train": Check("Eval prompts are not trained on", "Eval rows in train"),
    "duplicates": Check("No row appears twice", "Duplicate rows"),
    "no_steps": Check("Every row has reasoning steps", "Rows without steps"),
    "conversation": Check("The chat format writes every turn", "Turns that the chat format cannot write"),
    "turns": Check("The turns to train on are there", "No such turns to train on"),
    "earlier_thinking": Check("Turns are trained with their thinking", "Turns trained without their thinking"),
    "pad_id": Check("The padding token is used for nothing else", "Wrong padding token"),
    "warm_up": Check("The warm-up leaves time to learn", "Warm-up too long for the run"),
    "unusual_value": Check("Hyperparameters are in their usual ranges", "Hyperparameter outside of its usual range"),
    "mesh": Check("The batch divides over the devices", "Batch and devices do not fit"),
    "memory": Check("A train step fits into memory", "A train step may not fit into memory"),
    "output_dir": Check("The output directory is free", "Output directory in use"),
    "disk": Check("There is room for the checkpoints", "Too little disk"),
    "device": Check("The device is present and free", "Device missing or held"),
}
