"""Cues of what people want: changes, knowledge, tasks; and of what is not about computers."""

from __future__ import annotations

from typing import Final

from shared.suggest.cue import Cue

OF_REQUESTS: Final[tuple[Cue, ...]] = (
    # Changes.
    Cue(
        "file",
        "names a configuration file",
        r"""
        \b[\w-]+\.(?:conf|cfg|cnf|ini|ya?ml|toml|properties|json|env|tf|rules|xml|config|d)\b|
        /etc/[\w./-]+|\bvalues\b|crontab|sysctl|sshd_config|variables\b|helm|terraform|ansible
        """,
    ),
    Cue(
        "setting",
        "shows a setting with its value",
        r"""
        \b[a-z]\w*[_.][\w.]*\w ?[=:] ?\S|\b[A-Z]{2,}_[A-Z_]+\b|\b\w+=\S|\b[a-z]+_[a-z_]+\b|
        \b[\w-]+: (?:true|false|\d+|no|yes|on|off)\b|-X\w+|--[a-z-]+=
        """,
        cased=True,
    ),
    Cue(
        "from_to",
        "says the old and the new value",
        r"""
        \bfrom [^\s.]+ ?\w* to [^\s.]+|\d\w* ?(?:->|→|=>) ?\d|instead of|->|→|\bbecomes\b|
        \bto \d+ ?\w{0,3}\b|(?:new|previous|former|old|default) (?:value|setting|address)
        """,
    ),
    Cue(
        "config",
        "is about configuration",
        r"""
        \bconfig|\bsettings?\b|\bparameters?\b|\boptions?\b|variable|feature (?:flag|toggle)|
        \btoggle|\bdefaults?\b|\brule ?sets?\b|allow.?list|whitelist|\bheaders?\b|baseline|
        bundle|checksum|\bpolicy\b|\blimits?\b|timeouts?\b|replicas|\bcron\b|log.?level|
        retention|\bheap\b
        """,
    ),
    Cue(
        "turn",
        "begins as an instruction to change something",
        r"""
        <START>(?:set|increase[sd]?|raise[sd]?|lower(?:ed)?|reduce[sd]?|enable[sd]?|
        disable[sd]?|turn|switch|bump[s]?|adjust(?:ed)?|tune[sd]?|change[sd]?|allow|deny|roll|
        push|distribute|deploy|sync|apply|revert|replace|update[sd]?|modify|edit|use|shorten|
        rotate|point|standardi[sz]e|rename)\b
        """,
    ),
    Cue(
        "turning",
        "is about changing something",
        r"""
        \b(?:increas|rais|lower|reduc|enabl|disabl|adjust|tun|chang|distribut|deploy|appl|
        revert|replac|updat|modif|bump|shorten)(?:e[sd]?|ing|y|ies|ied|ed|s)?\b|roll(?:ed)? out|
        rollout|roll back|turn(?:ed)? o[nf]|switch(?:ed)? o[nf]
        """,
    ),
    Cue(
        "change_form",
        "has the form of a change request",
        r"""
        \bchg-?\d|change (?:request|ticket|record)|(?:standard|normal) change|backout|back.?out|
        rollback plan|merge request|merged|pull request|!\d{2,}|\bcanary\b|(?m:^(?:feat|fix|
        chore|config|refactor|ci|build|ops)(?:\([\w-]+\))?!?: )|revert the
        """,
    ),
    Cue(
        "fleet",
        "concerns all hosts",
        r"""
        \b(?:all|every|each|any)\b(?: of)?(?: the)?(?: \w+)? (?:hosts?|servers?|nodes?|agents?|
        machines?|instances?|clients?|proxy|proxies|environments?|vhosts?|switches|services?|
        workers?)\b|everywhere|whole fleet|\bfleet\b|load balancers
        """,
    ),
    # Knowledge.
    Cue(
        "how_to",
        "says how something is done",
        r"""
        \bhow (?:to|do|does|can|we|i|it|you|did)\b|step.by.step|\bguide\b|tutorial|
        walk.?through|cheat ?sheet|\bfaq\b|runbook:|best practi|checklist
        """,
    ),
    Cue(
        "lesson",
        "passes something learned on",
        r"""
        \blesson|\blearn(?:ed|t|s|ing)?\b|\btil\b|\bfyi\b|for your information|did you know|
        \btips?\b|\btrick|pitfall|take.?away|worth|good to know|remember|keep in mind|\bnote\b|
        insight|finding|we (?:found|discovered)|figured out|worked out|turns out|the reason|
        saved me|never |always |otherwise|convention|we know
        """,
    ),
    Cue(
        "question",
        "asks for an explanation",
        r"""
        \b(?:what|why|which|when) (?:is|are|does|do|the)\b|(?m:^(?:how|what|why|when|which|
        is there)\b[^.\n]{5,200}\?)|difference between
        """,
    ),
    Cue(
        "explain",
        "explains something",
        r"""
        explain|explanation|introduc|overview|understand|describes?\b|this (?:article|guide|
        section|page|document)|example|concept|background|documentation|\bwiki\b|write-?up|
        summary|meaning|common causes|troubleshoot|knowledge|
        (?:is|are) (?:crucial|essential|important|handy|useful|recommended|fundamental)\b|
        common(?:ly)? (?:culprit|cause|reason|mistake|symptom|tool|practice)|best way|\blet's\b|
        \bthis (?:post|tutorial|command|tool|option|allows|provides)\b|systematic
        """,
    ),
    Cue(
        "define",
        "says what something is",
        r"""
        \b(?:is|are) (?:an?|the|one)\b[^.\n]{0,24}\b(?:way|method|tool|command|protocol|term|
        process|type|kind|feature|mechanism|technique|concept|utility|standard|format|language|
        library)\b|
        \brefers? to\b|allows? (?:you|users|us|one)|(?:is|are|can be) used (?:to|for|by|when)|
        plays? an? |consists? of|for (?:example|instance)|in other words|also known as|means that
        """,
    ),
    Cue(
        "heading",
        "has the heading of a lesson",
        r"""
        (?m:^\W*(?:diagnosing|analy[sz]ing|identifying|finding|measuring|securing|protecting|
        automating|listing|exploring|comparing|designing|scaling|handling|preventing|avoiding|
        verifying|viewing|checking|learning|understanding|configuring|installing|using|creating|
        setting up|getting|managing|
        troubleshooting|debugging|working with|restoring|building|running|introducing|connecting|
        mastering|writing|recovering|choosing|migrating|deploying|fixing|solving|testing)\b)|
        (?m:^\W*(?:table of contents|prerequisites|conclusion|usage|examples?|step \d|overview)\b)
        """,
    ),
    Cue(
        "remedy",
        "says what helps in which case",
        r"""
        \b(?:if|when|whenever|in case|should)\b[^.\n]{3,90}[,;:.] ?(?:then |just |simply |first )?
        (?:try|check|run|use|add|set|make|look|delete|clear|restart|install|remove|type|press|
        open)\b|
        (?:the )?(?:solution|fix|remedy|workaround|answer) (?:is|was|:|that)|solved (?:it|by)|
        what (?:helped|it takes|worked)|(?:helped|worked) (?:for|in|\w+ times)|did the trick
        """,
    ),
    Cue(
        "instruct",
        "instructs the reader",
        r"""
        \byou (?:can|need|have|must|should|may|want|get|see|use|will)\b|\byour\b|\bif you\b|
        \bwhen you\b|\bto (?:see|find|list|check|create|make) |(?m:^\s*\d+[.)] )|then (?:run|
        copy|click|open)|first\b|make sure|prerequisite|following
        """,
    ),
    Cue(
        "shell",
        "shows a command",
        r"""
        `[^`\n]+`|(?m:^ {4,}\S)|```|\b(?:kubectl|git|docker|grep|systemctl|journalctl|rsync|
        sudo|ls|ssh|scp|curl|chmod|tar|awk|sed|npm|pip|apt|psql|pg_\w+|lsof|ss|ps|du|tmux|
        chronyc|openssl|ulimit) (?:-{1,2}\w|[a-z/]+\b(?: -|/| \w+))|Ctrl-|C-\w\b
        """,
    ),
    Cue(
        "tell",
        "wants others to know",
        r"""
        \b(?:tell|let|inform)\b[^.\n]{0,12}\b(?:everybody|everyone|others|team|all|agents)|
        \bshare|spread|for (?:everyone|others|the others)|others (?:may|might|should)|
        everyone[:,]|to the team|please read
        """,
    ),
    # Tasks.
    Cue(
        "ask",
        "asks somebody for something",
        r"""
        \bplease\b|could (?:you|some)|can (?:you|some)|who (?:can|could|takes|has)|\bsome(?:one|
        body)\b|whoever|need (?:some|a person|help)|help wanted|would be (?:nice|great)|
        need(?:s|ed)? to be|i (?:would|'d) like|\brequest(?:ed)?\b|ask the|have an?\s
        """,
    ),
    Cue(
        "assign",
        "gives work to somebody",
        r"""
        \bassign|delegat|\bhand\b[^.\n]{0,20}\bto\b|take (?:over|care)|look(?:s)? (?:after|
        into)|\btodo\b|action item|\btasks?\b|\btickets?\b|responsible|owner|follow up|backlog|
        draft|volunteer
        """,
    ),
    Cue(
        "due",
        "says by when",
        r"""
        \bdue\b|deadline|\b(?:by|until|before) (?:the )?(?:<DAY>|end|\d{1,2}(?:th|st|nd|rd)|
        tomorrow|noon|next)|no hurry|low priority|when you have time|priority: ?(?:low|medium|
        normal|minor)|this week|next sprint|in (?:two|three) weeks
        """,
    ),
    Cue(
        "story",
        "has the form of a feature request or a story",
        r"""
        \bas an? [\w ]{2,20},? i (?:want|need)|so that|acceptance criteria|story points?|
        feature request|\[?feature\]?|enhancement|solution you'd like|steps to reproduce|
        estimate|points\b|support for|\bbug:|retro\b|sprint
        """,
    ),
    Cue(
        "ticket_id",
        "has the number of a ticket",
        r"""
        \b[A-Z]{2,8}-\d{1,6}\b|(?:^|\s)#\d{2,}
        """,
        cased=True,
    ),
    Cue(
        "do",
        "begins with what is to be done",
        r"""
        <START>(?:please )?(?:add|create|write|implement|prepare|investigate|review|order|
        schedule|organi[sz]e|clean|refactor|migrate|fix|improve|document|design|check|look|find|
        analy[sz]e|evaluate|translate|collect|contact|follow|research|test|remove|provide|give|
        install|support|make|build|move|plan|ask|need|have|get|help|compare|estimate|archive|
        order|label|upgrade|split|reset|send|set up|draft|validate|open|extend|rename)s?\b
        """,
    ),
    Cue(
        "people",
        "is about people and their work",
        r"""
        \bcolleague|manager|\bteam\b|intern\b|employee|\busers?\b|meeting|slides|report\b|
        interview|onboarding|audit|vendor|supplier|legal|marketing|sales|finance|skills?\b|
        leave\b
        """,
    ),
    Cue(
        "product",
        "is about a product or its code",
        r"""
        \bbutton|\bform\b|\bpage\b|\blist\b|\bfilters?\b|export|import\b|console|dark mode|
        \bui\b|unit tests?|library|dependenc|script|module|\bcode\b|endpoint|column|pdf|csv
        """,
    ),
    # Whether it is about running computers at all.
    Cue(
        "operations",
        "is about running computers",
        r"""
        server|\bhosts?\b|service|database|\bdb\b|network|cluster|\bnodes?\b|\bpods?\b|
        kubernetes|container|docker|\bdisk|\bcpu\b|memory|\bapi\b|\bdns\b|router|switch|storage|
        backup|deploy|\blogs?\b|queue|broker|cache|kernel|linux|\bwindows\b|postgres|mysql|redis|
        kafka|elasticsearch|nginx|proxy|balancer|certificate|firewall|system|software|version|
        release|monitor|metric|branch|\bgit|repo|cloud|\baws\b|virtual|hypervisor|instance|
        replica|production|staging|environment|application|login|e-?mail|mailbox|account|
        password|wifi|wireless
        """,
    ),
    Cue(
        "private",
        "is about something else than work on computers",
        r"""
        \b(?:my|his|her|she|he)\b|love|happy|birthday|lunch|dinner|beer|movie|film|song|summer|
        weather|sunny|rain|football|match\b|euros?\b|price|revenue|percent to|thanks|thank you|
        congrat|welcome|holiday|vacation|story|beautiful|wonderful|favou?rite|haha|lol|invoice|
        parcel|kitchen|restaurant|village|mountain|museum|president|minister|parliament|police
        """,
    ),
)
