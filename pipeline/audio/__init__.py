"""Decoded audio, as a whole and as a stream of blocks; what feature families are written against."""

from pipeline.audio.block import ANALYSIS_RATE_HZ, BLOCK_S, AudioBlock, StreamInfo
from pipeline.audio.stream import Audio, AudioStream

__all__ = ["ANALYSIS_RATE_HZ", "BLOCK_S", "Audio", "AudioBlock", "AudioStream", "StreamInfo"]
