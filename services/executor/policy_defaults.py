"""What an agent's policy says where its file says nothing."""

EVERYTHING = "*"
"""The pattern for whatever there is."""

METADATA_HOSTS = (
    "169.254.0.0/16",
    "fe80::/10",
    "fd00:ec2::254",
    "fd20:ce::254",
    "100.100.100.200",
    "168.63.129.16",
    "metadata.google.internal",
)
"""Where clouds hand out credentials to whoever asks from the machine; denied by default."""

LOADING_VARIABLES = (
    "LD_*",
    "GCONV_PATH",
    "PATH",
    "BASH_ENV",
    "ENV",
    "SHELLOPTS",
    "BASHOPTS",
    "PS4",
    "PYTHON*",
    "PERL*",
    "RUBY*",
    "GEM_*",
    "NODE_*",
    "JAVA_TOOL_OPTIONS",
    "JDK_*",
    "_JAVA_OPTIONS",
    "CLASSPATH",
    "LUA_*",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "GIT_*",
    "EDITOR",
    "VISUAL",
    "PAGER",
)
"""Variables by which a permitted program can be made to run something else."""
