# hAIveMind: records each command for learning. Made by `hv shell-init zsh`; evaluated in ~/.zshrc.
#
# Nothing here starts a program before the prompt: builtins append to a spool, and at most every
# HIVE_RECORD_EVERY seconds a sender is started in the background. HIVE_RECORD=off pauses.
# HIVE_RECORD_IGNORE holds patterns with `:` between them; a line that begins with a blank is left out.

if [[ -o interactive && -z ${_hive_session-} ]]; then
  zmodload zsh/datetime
  autoload -Uz add-zsh-hook
  typeset -g _hive_spool=@SPOOL@
  (umask 077; command mkdir -p -- "$_hive_spool")
  typeset -g _hive_session=${HOST:-host}-$$-$EPOCHSECONDS
  typeset -g _hive_file=$_hive_spool/zsh-$$-$EPOCHSECONDS.raw
  typeset -gi _hive_count=0 _hive_next=0 _hive_began=0
  typeset -g _hive_line='' _hive_cwd=''

  _hive_send() { (trap "" HUP; @SEND@ </dev/null >/dev/null 2>&1 &) }

  _hive_preexec() {
    _hive_line=$1 _hive_cwd=$PWD
    (( _hive_began = EPOCHREALTIME * 1000000 ))
  }

  # Runs first at each prompt. zsh gives each such function the status of the command.
  _hive_precmd() {
    local ended=$? line=$_hive_line pattern
    local -i began=$_hive_began now
    _hive_began=0 _hive_line=''
    [[ $began != 0 && ${HIVE_RECORD-on} != off ]] || return 0
    [[ -n $line && $line != [[:space:]]* ]] || return 0
    for pattern in ${(s.:.)HIVE_RECORD_IGNORE-}; do
      [[ $line != ${~pattern} ]] || return 0
    done
    (( now = EPOCHREALTIME * 1000000 ))
    if (( _hive_count < @MOST@ )); then
      {
        printf '%s\0' hive1 "$_hive_session.$(( ++_hive_count ))" "$began" \
          "$(( now > began ? now - began : 0 ))" "$ended" "$_hive_cwd" "$_hive_session" \
          "${line[1,@CHARACTERS@]}" >>| "$_hive_file"
      } 2>/dev/null
    fi
    if (( EPOCHSECONDS >= _hive_next )); then
      (( _hive_next = EPOCHSECONDS + ${HIVE_RECORD_EVERY:-@EVERY@} ))
      _hive_send
    fi
    return 0
  }

  add-zsh-hook preexec _hive_preexec
  add-zsh-hook precmd _hive_precmd
  precmd_functions=(_hive_precmd ${precmd_functions:#_hive_precmd})
  add-zsh-hook zshexit _hive_send
@SUGGESTIONS@
fi
