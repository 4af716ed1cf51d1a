# hAIveMind: records each command for learning. Made by `hv shell-init bash`; evaluated in ~/.bashrc.
#
# Nothing here starts a program before the prompt: builtins append to a spool, and at most every
# HIVE_RECORD_EVERY seconds a sender is started in the background. HIVE_RECORD=off pauses.
# HIVE_RECORD_IGNORE holds patterns with `:` between them; a line that begins with a blank is left out.

if [[ $- == *i* && -z ${_hive_session-} ]]; then
  if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then
    printf 'hv: bash 4.4 or newer is needed to record commands; this is %s\n' "$BASH_VERSION" >&2
  else
    _hive_spool=@SPOOL@
    (umask 077; command mkdir -p -- "$_hive_spool")
    printf -v _hive_now '%(%s)T' -1
    _hive_session=${HOSTNAME:-host}-$$-$_hive_now
    _hive_file=$_hive_spool/bash-$$-$_hive_now.raw
    # Where bash writes its last line, to read it back: in memory, where there is such a folder.
    for _hive_text in "${XDG_RUNTIME_DIR-}" /dev/shm "$_hive_spool"; do
      [[ -d $_hive_text && -w $_hive_text ]] || continue
      _hive_text=$_hive_text/hive-$$-$_hive_now-$RANDOM$RANDOM.last
      (umask 077; set -C; : >"$_hive_text") 2>/dev/null && break
    done
    _hive_count=0 _hive_next=0 _hive_began=0 _hive_number='' _hive_cwd=$PWD _hive_nothing=''
    _hive_head='^ *[0-9]+[* ] ' _hive_offset=$((_hive_now - SECONDS))

    _hive_send() { (trap "" HUP; @SEND@ </dev/null >/dev/null 2>&1 &); }

    # Runs first at each prompt. Its status is that of the command, for what runs behind it.
    _hive_prompt() {
      local status=$? began=$_hive_began cwd=$_hive_cwd before line pattern now took
      local - IFS=':'
      _hive_began=0 _hive_cwd=$PWD
      before=$_hive_number _hive_number=$HISTCMD
      [[ $began != 0 && ${HIVE_RECORD-on} != off ]] || return "$status"
      now=${EPOCHREALTIME-}
      if [[ $now ]]; then now=${now//[!0-9]/}; else printf -v now '%(%s)T000000' -1; fi
      # Not in the history: bash was told to leave it out, or it is the line before, once more.
      if [[ $_hive_number == "$before" ]]; then
        [[ ${HISTCONTROL-} != *ignorespace* && ${HISTCONTROL-} != *ignoreboth* && -z ${HISTIGNORE-} ]] ||
          return "$status"
      fi
      [[ -w $_hive_text ]] || return "$status"
      HISTTIMEFORMAT='' builtin history 1 >|"$_hive_text"
      IFS= read -r -d '' line <"$_hive_text"
      : >|"$_hive_text"
      [[ $line =~ $_hive_head ]] || return "$status"
      line=${line:${#BASH_REMATCH[0]}}
      line=${line%$'\n'}
      [[ $line && $line != [[:space:]]* ]] || return "$status"
      set -f
      for pattern in ${HIVE_RECORD_IGNORE-}; do
        # shellcheck disable=SC2053 # it is a pattern
        [[ $line != $pattern ]] || return "$status"
      done
      if ((_hive_count < @MOST@)); then
        took=$((now - began))
        {
          printf '%s\0' hive1 "$_hive_session.$((++_hive_count))" "$began" \
            "$((took < 0 ? 0 : took))" "$status" "$cwd" "$_hive_session" "${line:0:@CHARACTERS@}" \
            >>"$_hive_file"
        } 2>/dev/null
      fi
      if ((now / 1000000 >= _hive_next)); then
        _hive_next=$((now / 1000000 + ${HIVE_RECORD_EVERY:-@EVERY@}))
        _hive_send
      fi
      return "$status"
    }

    # Evaluated between the line and the command: arithmetic alone can set a variable there.
    if [[ ${EPOCHREALTIME-} ]]; then
      PS0=${PS0-}'${_hive_nothing:$((_hive_began=${EPOCHREALTIME//[!0-9]/},0)):0}'
    else
      PS0=${PS0-}'${_hive_nothing:$((_hive_began=(SECONDS+_hive_offset)*1000000,0)):0}'
    fi
    if [[ $(declare -p PROMPT_COMMAND 2>/dev/null) == 'declare -a'* ]]; then
      PROMPT_COMMAND=(_hive_prompt "${PROMPT_COMMAND[@]}")
    else
      PROMPT_COMMAND="_hive_prompt${PROMPT_COMMAND:+; $PROMPT_COMMAND}"
    fi
    [[ -n $(trap -p EXIT) ]] || trap '_hive_send; command rm -f -- "$_hive_text"' EXIT
@SUGGESTIONS@
  fi
fi
