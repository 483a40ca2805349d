"""What nets and ciphers share: both must mix every input into every output.

`ridgeline.mixing.ciphers` needs numpy alone; `ridgeline.mixing.reversible` needs PyTorch, the extra
``[torch]``.
"""
