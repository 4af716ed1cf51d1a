"""Cues of what happens or will: security, incidents, maintenance."""

from __future__ import annotations

from typing import Final

from shared.suggest.cue import Cue

OF_EVENTS: Final[tuple[Cue, ...]] = (
    # Security.
    Cue(
        "threat",
        "speaks of an attack or a weakness",
        r"""
        vulnerab|exploit|attack|malware|trojan|ransom|phish|breach|compromis|intrus|intrud|
        exfiltrat|brute.?forc|backdoor|botnet|spoof|hijack|malicious|rootkit|cryptomin|
        suspicious|unauthori[sz]ed|stolen|hacke[rd]|pwned|virus\b|worm\b|spyware|zero.?day|
        \bc2\b|beacon|\btor\b|ddos|weaponi|adversar|threat
        """,
    ),
    Cue(
        "flaw",
        "names a kind of flaw",
        r"""
        overflow|injection|\bxss\b|cross.site|\b[cs]srf\b|\brce\b|use.after.free|travers|
        race condition|deseriali|privilege|escalat|bypass|denial.of.service|pollution|
        out.of.bounds|memory corruption|arbitrary|remote code|crafted|unauthenticated|improper|
        saniti[sz]|insufficient|validation|disclos|sandbox|man.in.the.middle|downgrade|
        untrusted|open redirect|double free|null pointer dereference|spoof
        """,
    ),
    Cue(
        "advisory",
        "has the form of an advisory",
        r"""
        \bcve-|\bghsa-|\bdsa[- ]\d|\busn-|\bcwe-|\brhsa-|\bcvss|\badvisor|affected (?:versions?|
        products?|packages?)|patched|fixed in|prior to|versions? before|before \d+\.\d|
        through \d+\.\d|security (?:update|fix|patch|issue|bulletin|notice)|proof.of.concept|
        \bpoc\b|mitigation|bug bounty|researcher|kev\b|severity:\s
        """,
    ),
    Cue(
        "exposed",
        "says that something secret or private is exposed",
        r"""
        (?:keys?|passwords?|credentials?|tokens?|secrets?|certificates?|data|accounts?|bucket|
        laptop|dump)\b[^.\n]{0,60}\b(?:leak|expos|public|stolen|commit|compromis|revok|offered|
        misus|lost|readable|foreign)|leak(?:ed|s)?\b|exposed|\bpii\b|publicly
        """,
    ),
    Cue(
        "detection",
        "comes from a tool that detects attacks",
        r"""
        falco|suricata|snort|wazuh|crowdstrike|defender|trivy|snyk|\bsiem\b|\bids\b|\bips\b|
        \bwaf\b|auditd|antivirus|\bedr\b|sigma|yara|\bdetects\b|scanner|quarantin|indicators?|
        honeypot|file integrity|impossible travel
        """,
    ),
    Cue(
        "access",
        "is about who got in, or tried",
        r"""
        failed (?:ssh )?(?:logins?|password|authenticat)|log(?:ged|in)? ?in (?:as|from)|
        signed in from|sign-in from|as root|\bsudo|attempts?|shell\b|invalid user|
        administrator account|domain controller|lsass|badge
        """,
    ),
    Cue(
        "crypto",
        "is about what protects access",
        r"""
        \bssh|\btls\b|openssl|cipher|encrypt|\bmfa\b|authenticat|firewall|\bvpn\b
        """,
    ),
    # Incidents.
    Cue(
        "alert",
        "has the form of an alert",
        r"""
        \bFIRING\b|\bPROBLEM\b|\bCRITICAL\b|\bALARM\b|\bWARNING\b|TRIGGERED|\bRESOLVED\b|
        \bRECOVERY\b|pagerduty|nagios|zabbix|alertmanager|icinga|cloudwatch|opsgenie|
        runbook_url|\$labels|\bLABELS\b|\bVALUE\b|(?m:^\W*(?:[A-Z][a-z0-9]+){3,}\b)|
        (?i:for (?:more than )?\d+ ?m(?:in)?)|[<>]=? ?\d|(?i:threshold|crossed)
        """,
        cased=True,
    ),
    Cue(
        "priority",
        "says how urgent it is",
        r"""
        \bsev(?:erity)?[- :]?\d|\bp[0-2]\b|\binc-?\d{3}|\bcritical\b|\burgent|emergency|
        major incident|bridge call|on.call|all hands
        """,
    ),
    Cue(
        "failure",
        "says that something fails",
        r"""
        \bdown\b|fail(?:s|ed|ing|ure)|\berrors?\b|unreachable|time[sd]?.?outs?|timing out|crash|
        \boom|out of memory|refuse|\bbroken?\b|\bstuck|\bhang|\bhung|frozen|freez|degraded|
        \boutage|\bslow|laten|\blag\b|\blost\b|\bdrop(?:ped|s)|not respond|not ready|exhaust|
        \bfull\b|corrupt|\bdead|flapping|reject|missing|backlog|restarts?\b[^.]{0,20}\bloop|
        deadlock|split.brain|panic|disappear|stopped|expired|unhealthy|unavailab|saturat|
        too (?:many|high|low)|intermittent|overload|evict|no (?:leader|master|quorum)|
        does(?:n't| not)
        """,
    ),
    Cue(
        "status_page",
        "reads like an update of a status page",
        r"""
        investigat(?:ing|ed)|identified|monitoring the|has been resolved|root cause|\bimpact\b|
        next update|mitigated|post.?mortem|subset of|elevated|some (?:customers|users)|
        disruption|fix has been|apologi|sorry for|
        experienc(?:e|ed|ing)\b|we(?: are|'re)(?: currently)? (?:seeing|observing|aware|working)|
        (?:returned|back) to normal|recover(?:y|ed|ing|s)\b|restored|rolled back|degradation|
        \bincident\b|(?:have|has been) (?:deployed|rolled out) (?:a|the)? ?(?:fix|changes?)
        """,
    ),
    Cue(
        "log",
        "quotes a log",
        r"""
        \b(?:ERROR|FATAL|SEVERE|PANIC|Traceback|Exception)\b|exception|exit (?:code|status)|
        \d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d|\bat [\w.]+\([\w.]+:\d+\)|connection refused|i/o error
        """,
        cased=True,
    ),
    Cue(
        "http_5xx",
        "names errors of a web server",
        r"""
        \b50[0-4]s?\b|\b5xx\b|\bbad gateway\b
        """,
    ),
    Cue(
        "helpless",
        "says that people cannot work",
        r"""
        (?:nobody|no one|everybody|everyone|users?|customers?|anyone|we|they|
        all)\b[^.\n]{0,30}\b(?:can'?t|cannot|unable|no longer|not able|seeing|complain|report)|
        not work
        """,
    ),
    Cue(
        "measure",
        "gives a measured value",
        r"""
        \d+(?:\.\d+)? ?%|\d+(?:\.\d+)?[kM]\b|\bp9[59]\b|percentile|error rate|per second
        """,
    ),
    Cue(
        "now",
        "speaks of right now",
        r"""
        right now|just now|since (?:this|the|\d|noon|yest)|a moment ago|at the moment|
        last (?:night|hour|\d+ min)|this morning|again|still\b|already|currently
        """,
    ),
    # Maintenance.
    Cue(
        "maintenance",
        "announces planned work",
        r"""
        maintenance|scheduled|planned|\bwindow\b|downtime|\bworks?\b(?= (?:on|by|at|in|to|will|
        :))|planned works?|notice of|notification|announc|upcoming|postpone|reschedul|
        patch(?: day|ing)|service day|change freeze|inspection|switchover|reminder
        """,
    ),
    Cue(
        "window",
        "gives a time window",
        r"""
        <CLOCK>\s?<ZONE>?\s?(?:-|–|—|to|until|till|and)\s?<CLOCK>(?:\s?<ZONE>\b)?|
        \bbetween\b[^.\n]{1,30}\band\b|\bfrom\b[^.\n]{1,24}\b(?:to|until)\b|(?m:^\W*(?:start|
        end|date|time|duration|begin)\b.{0,20}:)
        """,
    ),
    Cue(
        "zone",
        "names a time zone",
        r"""
        \b(?:utc|gmt|cest|cet|bst|e[ds]t|p[ds]t|c[ds]t)\b
        """,
    ),
    Cue(
        "date",
        "names a day",
        r"""
        \b<DAY>\b|\btonight|weekend|\b\d{1,2}\.? (?:<MONTH>)\b|\b(?:<MONTH>)\.? \d{1,2}\b|
        \b20\d\d-\d\d-\d\d\b|next (?:week|month)|tomorrow|midnight
        """,
    ),
    Cue(
        "future",
        "speaks of what will be",
        r"""
        \bwill\b|'ll\b|going to|shall be|are going|is going|\bwon't\b|\bexpect|we (?:plan|
        intend)|please (?:note|be advised)
        """,
    ),
    Cue(
        "hands_on",
        "is about work on machines",
        r"""
        reboot|restart|upgrad|replac|migrat|firmware|\bbios\b|drain|cordon|fail.?over|
        decommission|shut ?(?:down|s)|switch(?:ed)? off|power|\bswap\b|hardware|generator|
        \bups\b|fibre|cabling|electric|cooling|take\b[^.]{0,30}\b(?:down|out)\b
        """,
    ),
    Cue(
        "absence",
        "says what will not be available",
        r"""
        unavailab|offline|interrupt|read.only|not (?:be )?(?:available|reachable|possible)|
        duration|loss of|up to \d+ (?:min|hour)|out of (?:service|rotation)|no access|be gone|
        without power|stay up|redundan|re-?routed|brief
        """,
    ),
    Cue(
        "notice",
        "is addressed to those affected",
        r"""
        \bdear\b|customers|inform you|kind regards|inconvenience|patience|be advised|
        we are sorry|in order to|hello\b|our (?:provider|vendor|platform)
        """,
    ),
)
