"""The words by which providers refuse a request, from their documentation and servers.

A row is what the words mean, a pattern for them, and their source. Other refusals are reported as they are.
"""

import re
from typing import Literal, NamedTuple

Meaning = Literal["too_long", "withheld", "spent", "bad_key", "no_model", "overloaded"]


class RefusalWords(NamedTuple):
    """A pattern in refusals (in lower case), what it means, and whose words these are."""

    meaning: Meaning
    pattern: str
    source: str


TABLE: tuple[RefusalWords, ...] = (
    RefusalWords(
        "too_long", r"context.{0,20}(?:length|size|window)", "OpenAI, Azure, DeepSeek, vLLM, llama.cpp, Ollama"
    ),
    RefusalWords("too_long", r"maximum context|exceed_context", "vLLM; llama.cpp's exceed_context_size_error"),
    RefusalWords(
        "too_long", r"too many (?:input )?tokens", "Cohere: too many tokens: total number of tokens in the prompt"
    ),
    RefusalWords(
        "too_long", r"(?:prompt|input|request|text) is too (?:long|large)", "Anthropic, Bedrock, Fireworks, AI21"
    ),
    RefusalWords(
        "too_long", r"(?:inputs?|prompt).{0,40}exceeds?", "Gemini: the input token count (N) exceeds the maximum"
    ),
    RefusalWords(
        "too_long", r"exceeds?.{0,30}(?:token|context) limit", "Anthropic: input length and `max_tokens` exceed"
    ),
    RefusalWords(
        "too_long", r"too large for model", "Mistral: Prompt contains N tokens … too large for model with M maximum"
    ),
    RefusalWords(
        "too_long", r"reduce the length of the", "OpenAI, Groq, Cerebras: please reduce the length of the messages"
    ),
    RefusalWords("too_long", r"inputs`? tokens \+ `?max_new_tokens`? must be", "Hugging Face's TGI, Together"),
    RefusalWords(
        "too_long", r"must have less than \d+ tokens", "Hugging Face's TGI: `inputs` must have less than N tokens"
    ),
    RefusalWords(
        "too_long", r"max_tokens must be at least 1, got -", "vLLM, where the prompt alone is more than the window"
    ),
    RefusalWords(
        "too_long", r"maximum prompt length", "xAI: this model's maximum prompt length is N but the request contains"
    ),
    RefusalWords(
        "too_long", r"tokens? \(\d+\) exceed|requested tokens", "llama-cpp-python: Requested tokens (N) exceed context"
    ),
    RefusalWords(
        "too_long", r"prompt is \d+ tokens long|generation length", "SambaNova: Requested generation length N"
    ),
    RefusalWords(
        "too_long", r"string_above_max_length|string too long", "OpenAI, of a message of over ten million characters"
    ),
    RefusalWords("too_long", r"request (?:entity|body|payload)? ?too large|payload too large", "HTTP 413 of gateways"),
    RefusalWords("too_long", r"token limit|longer than the model", "Databricks, Friendli"),
    RefusalWords(
        "too_long",
        r"range of input length should be",
        "Alibaba's DashScope: Range of input length should be [1, N] (https://github.com/QwenLM/Qwen-Agent/issues/615)",
    ),
    RefusalWords("withheld", r"content_?filter|responsibleaipolicy|content management policy", "Azure OpenAI"),
    RefusalWords(
        "withheld", r"flagged|moderation|content polic|safety (?:system|reasons|filter)", "OpenRouter, OpenAI, Gemini"
    ),
    RefusalWords("withheld", r"prohibited_content", "Gemini"),
    RefusalWords(
        "withheld",
        r"data_?inspection_?failed|inappropriate content",
        "Alibaba's DashScope, of input or output (https://www.alibabacloud.com/help/en/model-studio/error-code)",
    ),
    RefusalWords(
        "withheld",
        r"content exists risk",
        "DeepSeek (https://github.com/deepseek-ai/awesome-deepseek-integration/issues/13)",
    ),
    RefusalWords(
        "withheld",
        r"unsafe or sensitive content|不安全或敏感内容",
        "Zhipu (https://docs.z.ai/api-reference/api-code, https://docs.bigmodel.cn/cn/guide/platform/securityaudit)",
    ),
    RefusalWords(
        "spent", r"insufficient_quota|insufficient (?:credit|balance|fund)", "OpenAI, OpenRouter, DeepSeek, APIpie"
    ),
    RefusalWords("spent", r"credit balance is too low|out of credits?|requires more credits", "Anthropic, OpenRouter"),
    RefusalWords(
        "spent",
        r"monthly included credits",
        "Hugging Face: You have exceeded your monthly included credits for Inference Providers "
        "(https://github.com/huggingface/agents-course/issues/386)",
    ),
    # A day's requests are renewed on the next day only: waiting for minutes doesn't help.
    RefusalWords(
        "spent",
        r"free-models-per-day",
        "OpenRouter: Rate limit exceeded: free-models-per-day (https://github.com/cline/cline/issues/5301)",
    ),
    RefusalWords(
        "spent", r"budget has been exceeded|exceeded ?budget|billing_hard_limit|payment required", "LiteLLM, OpenAI"
    ),
    RefusalWords(
        "bad_key", r"api.?key.{0,30}(?:not valid|invalid|expired|revoked|disabled)|api_key_invalid", "Gemini, in a 400"
    ),
    RefusalWords("bad_key", r"(?:invalid|incorrect|wrong).{0,12}api.?key", "OpenAI, Together"),
    RefusalWords(
        "no_model",
        r"model_not_found|model_decommissioned|not a valid model|invalid model|unknown model",
        "OpenAI, Groq",
    ),
    RefusalWords(
        "no_model",
        r"model\b[^,]{0,80}(?:does not exist|not found|deprecated|decommissioned|retired)",
        "OpenAI, Together",
    ),
    RefusalWords("no_model", r"model\b[^,]{0,80}no longer (?:available|supported)", "Groq, Fireworks"),
    RefusalWords(
        "overloaded", r"overloaded|over capacity|currently loading|is loading|loading model", "Anthropic, Groq, TGI"
    ),
    RefusalWords(
        "overloaded", r"temporarily unavailable|server is busy|no available (?:capacity|workers)", "DeepSeek, RunPod"
    ),
)
# Codes with that meaning, whatever the language of the words: Zhipu's 1301 is for an unsafe or sensitive text
# (https://docs.bigmodel.cn/cn/guide/platform/securityaudit).
WITHHELD_CODES = frozenset({"1301"})
# Refusals over a rate limit mention too many tokens, too, as those over a window do.
RATE = re.compile(r"per (?:second|minute|hour|day)|\b[rt]p[mds]\b|rate.?limit|try again|retry (?:in|after)|please wait")
_PATTERNS: dict[Meaning, re.Pattern[str]] = {
    meaning: re.compile("|".join(row.pattern for row in TABLE if row.meaning == meaning))
    for meaning in dict.fromkeys(row.meaning for row in TABLE)
}


def means(words: str, meaning: Meaning) -> bool:
    """Whether a refusal's words have a meaning."""
    return _PATTERNS[meaning].search(words.lower()) is not None


def speaks_of_rate(words: str) -> bool:
    """Whether a refusal's words are about a rate limit."""
    return RATE.search(words.lower()) is not None
