    # Alt-n puts the likeliest next command into the line, to be looked at; nothing is run.
    function _hive_suggest
        set -l line (builtin history --max=5 --reverse | @HV@ next --line --session "$_hive_session" --cwd "$PWD" --after - 2>/dev/null)
        test -n "$line"; and commandline --replace -- $line
        commandline -f repaint
    end
    bind \en _hive_suggest
