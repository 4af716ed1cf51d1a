  # Alt-n puts the likeliest next command into the line, to be looked at; nothing is run.
  _hive_suggest() {
    local line
    line=$(builtin fc -ln -5 2>/dev/null |
      @HV@ next --line --session "$_hive_session" --cwd "$PWD" --after - 2>/dev/null) || return 0
    [[ -z $line ]] || { BUFFER=$line CURSOR=${#line}; }
    zle redisplay
  }
  zle -N _hive_suggest
  bindkey '\en' _hive_suggest
