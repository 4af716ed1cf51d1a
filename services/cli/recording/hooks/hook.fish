# hAIveMind: records each command for learning. Made by `hv shell-init fish`; sourced in config.fish.
#
# Nothing here starts a program before the prompt: builtins append to a spool, and at most every
# HIVE_RECORD_EVERY seconds a sender is started in the background. HIVE_RECORD=off pauses.
# HIVE_RECORD_IGNORE holds patterns with `:` between them; a line that begins with a blank is left out.

if status is-interactive; and not set -q _hive_session
    set -g _hive_spool @SPOOL@
    command mkdir -p -m 700 -- $_hive_spool
    set -g _hive_zero (command date +%s)
    set -g _hive_session (command uname -n)-$fish_pid-$_hive_zero
    set -g _hive_file $_hive_spool/fish-$fish_pid-$_hive_zero.raw
    set -g _hive_count 0
    set -g _hive_next 0
    set -g _hive_began ''

    # Milliseconds since 1970, without starting a program where the system tells how long it is up.
    if test -r /proc/uptime
        read -l -d ' ' up _ </proc/uptime
        set -g _hive_zero (math "$_hive_zero - $up")
        function _hive_clock
            read -l -d ' ' up _ </proc/uptime
            math -s 0 "($_hive_zero + $up) * 1000"
        end
    else
        function _hive_clock
            command date +%s000
        end
    end

    function _hive_send
        # Of a shell of its own, so that it outlives this one and the terminal.
        command sh -c 'trap "" HUP; "$@" </dev/null >/dev/null 2>&1 &' sh @SEND@
    end

    function _hive_preexec --on-event fish_preexec
        set -g _hive_cwd $PWD
        set -g _hive_began (_hive_clock)
    end

    function _hive_postexec --on-event fish_postexec
        set -l ended $status
        set -l began $_hive_began
        set -g _hive_began ''
        set -l line $argv[1]
        test -n "$began"; and test "$HIVE_RECORD" != off; or return 0
        string match -qr '^\S' -- $line; or return 0
        for pattern in (string split -n : -- $HIVE_RECORD_IGNORE)
            string match -q -- $pattern $line; and return 0
        end
        if test $_hive_count -lt @MOST@
            set -g _hive_count (math $_hive_count + 1)
            begin
                printf '%s\0' hive1 $_hive_session.$_hive_count $began'000' $CMD_DURATION'000' \
                    $ended $_hive_cwd $_hive_session \
                    (string sub -l @CHARACTERS@ -- "$line" | string collect) >>$_hive_file
            end 2>/dev/null
        end
        set -l now (math -s 0 "$began / 1000")
        if test $now -ge $_hive_next
            set -l every @EVERY@
            set -q HIVE_RECORD_EVERY; and set every $HIVE_RECORD_EVERY
            set -g _hive_next (math $now + $every)
            _hive_send
        end
    end

    function _hive_exit --on-event fish_exit
        _hive_send
    end
@SUGGESTIONS@
end
