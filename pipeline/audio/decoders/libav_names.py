"""FFmpeg's names of the formats and codecs of music; it has many more, none of which is used."""

FORMATS = frozenset(
    """
    aac ac3 aiff amr ape asf au avi caf dsf dts dtshd eac3 flac flv iff loas matroska mlp mov mp3
    mpc mpc8 mpeg mpegts nut ogg oma qoa rm shn tak truehd tta voc w64 wav wv xwma
    """.split()  # noqa: SIM905 -- quotes around each would be all one sees
)
"""Formats that are opened: sound, and containers of sound and pictures."""

CODECS = frozenset(
    """
    8svx_exp 8svx_fib aac aac_latm ac3 adpcm_ima_qt adpcm_ima_wav adpcm_ms adpcm_swf adpcm_yamaha alac als
    amrnb amrwb ape atrac3 atrac3al atrac3plus atrac3plusal cook dca dsd_lsbf dsd_lsbf_planar
    dsd_msbf dsd_msbf_planar dst eac3 flac g722 gsm gsm_ms ilbc libopus libspeex mace3 mace6 mlp mp1
    mp1float mp2 mp2float mp3 mp3adu mp3adufloat mp3float mp3on4 mp3on4float mpc7 mpc8 nellymoser opus
    pcm_alaw pcm_bluray pcm_dvd pcm_f16le pcm_f24le pcm_f32be pcm_f32le pcm_f64be pcm_f64le pcm_mulaw
    pcm_s16be pcm_s16be_planar pcm_s16le pcm_s16le_planar pcm_s24be pcm_s24le pcm_s24le_planar pcm_s32be
    pcm_s32le pcm_s32le_planar pcm_s64be pcm_s64le pcm_s8 pcm_s8_planar pcm_u16be pcm_u16le pcm_u24be
    pcm_u24le pcm_u32be pcm_u32le pcm_u8 qcelp qdm2 qdmc qoa ralf real_144 real_288 shorten sipr speex
    tak truehd tta vorbis wavpack wmalossless wmapro wmav1 wmav2 wmavoice
    """.split()  # noqa: SIM905 -- quotes around each would be all one sees
)
"""Decoders that may run, while a file is probed and while it is read: none of video, pictures or subtitles."""
