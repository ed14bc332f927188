"""The checks of a preflight by their codes, and what each promises where it passes."""

from __future__ import annotations

CHECKS: dict[str, str] = {
    "data_changed": "The data file is the manifest's",
    "data_unreadable": "Every line of the data file is a row",
    "model": "The model and its tokenizer can be read",
    "model_config": "The model's config fits its weight files",
    "lora_matches_nothing": "LoRA finds modules to train",
    "nothing_trained": "Every row trains something",
    "answer_cut": "Every answer is trained on whole",
    "nothing_fits": "There are rows to train on",
    "rows_left_out": "No row is too long",
    "steps_dropped": "No row loses steps",
    "longer_than_model": "Rows fit the model's context",
    "bos": "One start token a row",
    "end_token": "Rows end with the end of a turn",
    "stop_elsewhere": "Other programs stop where the rows end",
    "control_tokens": "No control tokens in the text",
    "template": "Prompts are those of generation",
    "chat_template": "The model's own template says the same",
    "no_chat_template": "The model knows chat turns",
    "eval_in_train": "Eval prompts are not trained on",
    "duplicates": "No row stands twice",
    "no_steps": "Every row has reasoning steps",
    "pad_id": "The padding token is used for nothing else",
    "warm_up": "The warm-up leaves time to learn",
    "learning_rate": "The learning rate is usual for the method",
    "mesh": "The batch divides over the devices",
    "output_dir": "The output directory is free",
    "disk": "There is room for the checkpoints",
    "device": "The device is there and free",
}
