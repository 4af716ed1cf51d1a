    # Alt-n puts the likeliest next command into the line, to be looked at; nothing is run.
    _hive_suggest() {
      local line
      line=$(builtin history 5 | command sed 's/^ *[0-9]*[* ] *//' |
        @HV@ next --line --session "$_hive_session" --cwd "$PWD" --after - 2>/dev/null) || return 0
      [[ -z $line ]] || { READLINE_LINE=$line READLINE_POINT=${#line}; }
    }
    bind -x '"\en": _hive_suggest' 2>/dev/null
