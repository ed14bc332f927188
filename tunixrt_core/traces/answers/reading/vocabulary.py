"""Words with a known meaning: yes, no, colours, places, names."""

from __future__ import annotations


def words_of(text: str) -> list[str]:
    """The words of a list that is written as one text, to be read at a glance."""
    return text.split()


TRUTHS = {
    **dict.fromkeys(words_of("yes yeah yep yup true oui ja sí si да 是 对 y"), "yes"),
    **dict.fromkeys(words_of("no nope nah false non nein нет 否 不是 错 n"), "no"),
    **dict.fromkeys(("maybe", "perhaps", "possibly"), "maybe"),
    **dict.fromkeys(("unknown", "uncertain", "cannot be determined", "can't be determined"), "unknown"),
    **dict.fromkeys(("undetermined", "not enough information", "cannot say", "can't tell"), "unknown"),
}
SPECIALS = {
    **dict.fromkeys(
        ("no solution", "no solutions", "no solution exists", "no real solution", "no real solutions"), "no solution"
    ),
    **dict.fromkeys(("no solutions exist", "no real solutions exist", "no real solution exists"), "no solution"),
    **dict.fromkeys(
        ("∅", "empty set", "the empty set", "null set", "⦃⦄", "{}", "no such number", "no such value"), "no solution"
    ),
    **dict.fromkeys(("none", "nothing", "nobody", "no one", "none of them"), "none"),
    **dict.fromkeys(("undefined", "indeterminate", "not defined"), "undefined"),
    **dict.fromkeys(("does not exist", "doesn't exist", "dne", "d.n.e"), "does not exist"),
    **dict.fromkeys(("∞", "+∞", "infinity", "positive infinity", "+infinity"), "infinity"),
    **dict.fromkeys(("-∞", "-infinity", "negative infinity", "minus infinity"), "minus infinity"),
    **dict.fromkeys(
        ("infinitely many", "infinitely many solutions", "infinite solutions", "infinite number of solutions"),
        "infinitely many",
    ),
}

# classes whose members exclude each other: one sense per entry, its spellings joined by a bar
_EXCLUSIVE: dict[str, str] = {
    "colour": "red blue green yellow orange pink purple brown black white gray|grey gold silver beige cyan magenta "
    "turquoise",
    "direction": "north south east west northeast|north-east northwest|north-west southeast|south-east "
    "southwest|south-west",
    "side": "left right",
    "season": "spring summer autumn|fall winter",
    "planet": "mercury venus earth mars jupiter saturn uranus neptune pluto",
    "sex": "male female",
    "relation": "entailment|entailed|entails neutral contradiction|contradicted|contradicts",
    "feeling": "positive negative neutral mixed",
    "parity": "odd even",
    "change": "increase|increases|increased|increasing decrease|decreases|decreased|decreasing",
    "rise": "rise|rises fall|falls",
    "size": "larger|bigger smaller",
    "amount": "more less|fewer",
    "height": "higher lower",
    "speed": "faster slower",
    "order": "before after",
    "likeness": "same different",
    "up": "up down",
    "first": "first last",
    "correct": "correct incorrect",
    "valid": "valid invalid",
    "possible": "possible impossible",
    "rational": "rational irrational",
    "convergent": "converges|convergent|converge diverges|divergent|diverge",
    "continuous": "continuous discontinuous",
    "heads": "heads tails",
    "guilty": "guilty innocent",
    "safe": "safe unsafe",
    "support": "supported refuted",
    "agree": "agree disagree",
    "pass": "pass fail",
    "stable": "stable unstable",
    "acid": "acidic basic|alkaline",
    "state": "solid liquid gas plasma",
    "animal": "cat|cats dog|dogs horse|horses cow|cows pig|pigs sheep chicken|chickens lion|lions tiger|tigers "
    "elephant|elephants rabbit|rabbits mouse|mice",
    "fruit": "apple|apples banana|bananas cherry|cherries grape|grapes lemon|lemons pear|pears mango|mangoes|mangos",
    "shape": "circle square triangle rectangle pentagon hexagon octagon",
}
# names that exclude each other in all classes together
_NAMES: dict[str, str] = {
    "country": "afghanistan albania algeria argentina armenia australia austria azerbaijan bahrain bangladesh belarus "
    "belgium belize bhutan bolivia botswana brazil bulgaria cambodia cameroon canada chad chile china "
    "colombia croatia cuba cyprus czechia|czech_republic denmark ecuador egypt eritrea estonia ethiopia "
    "fiji finland france gabon germany ghana greece grenada guatemala guinea guyana haiti honduras hungary "
    "iceland india indonesia iran iraq ireland israel italy jamaica japan jordan kazakhstan kenya kuwait "
    "laos latvia lebanon liberia libya lithuania luxembourg madagascar malawi malaysia maldives mali malta "
    "mauritius mexico moldova mongolia montenegro morocco mozambique myanmar|burma namibia nepal "
    "netherlands|holland nicaragua niger nigeria norway oman pakistan panama paraguay peru philippines "
    "poland portugal qatar romania russia rwanda senegal serbia singapore slovakia slovenia somalia spain "
    "sudan suriname sweden switzerland syria taiwan tajikistan tanzania thailand togo tunisia "
    "turkey|türkiye turkmenistan uganda ukraine uruguay uzbekistan venezuela vietnam yemen zambia zimbabwe "
    "england scotland wales new_zealand north_korea|dprk south_korea|republic_of_korea saudi_arabia "
    "south_africa sri_lanka costa_rica el_salvador united_states|united_states_of_america|usa|us "
    "united_kingdom|uk|great_britain united_arab_emirates|uae soviet_union|ussr european_union|eu "
    "united_nations|un",
    "city": "paris london berlin madrid rome vienna lisbon dublin athens amsterdam brussels copenhagen stockholm oslo "
    "helsinki warsaw prague budapest bucharest sofia belgrade zagreb kyiv|kiev minsk moscow istanbul ankara "
    "cairo jerusalem baghdad tehran riyadh dubai karachi lahore islamabad delhi new_delhi mumbai|bombay "
    "kolkata|calcutta chennai|madras bangalore|bengaluru dhaka kathmandu beijing|peking shanghai "
    "guangzhou|canton shenzhen hong_kong taipei seoul busan tokyo kyoto osaka bangkok hanoi "
    "ho_chi_minh_city|saigon manila jakarta kuala_lumpur sydney melbourne canberra brisbane perth auckland "
    "wellington new_york_city|nyc los_angeles chicago houston philadelphia phoenix dallas boston seattle "
    "miami atlanta denver detroit san_francisco washington_dc las_vegas toronto montreal ottawa vancouver "
    "havana bogota lima santiago caracas buenos_aires rio_de_janeiro sao_paulo brasilia nairobi lagos accra "
    "casablanca johannesburg cape_town addis_ababa munich|münchen hamburg frankfurt cologne|köln stuttgart "
    "dresden leipzig zurich|zürich geneva milan naples venice florence turin barcelona valencia seville porto "
    "lyon marseille nice toulouse bordeaux edinburgh glasgow manchester liverpool birmingham oxford cambridge "
    "saint_petersburg|leningrad",
    "continent": "africa antarctica asia europe north_america south_america oceania",
    "person": "alice bob charlie dave eve frank grace emma olivia liam noah ava sophia mia lucas ethan james mary "
    "john patricia robert jennifer michael linda david elizabeth william barbara richard susan joseph "
    "jessica thomas sarah charles karen daniel lisa matthew nancy anthony betty mark margaret donald sandra "
    "steven ashley paul kimberly andrew emily joshua donna kenneth michelle kevin carol brian amanda george "
    "dorothy timothy melissa ronald deborah edward stephanie jason rebecca jeffrey sharon ryan laura jacob "
    "cynthia gary kathleen nicholas amy eric angela jonathan anna peter tom jerry jack jill sam ben tim jim "
    "joe max leo jane lucy julia maria natalia einstein newton darwin galileo shakespeare mozart beethoven "
    "bach picasso napoleon caesar lincoln plato aristotle socrates",
    "element": "hydrogen helium lithium carbon nitrogen oxygen fluorine neon sodium magnesium aluminium|aluminum "
    "silicon phosphorus sulfur|sulphur chlorine argon potassium calcium iron copper zinc bromine iodine "
    "tin tungsten platinum lead uranium",
    "language": "english french german spanish italian portuguese russian chinese japanese korean arabic hindi latin "
    "greek",
}
# common words that begin with a capital in a list of answers and have synonyms, so that they are no names
COMMON = frozenset(
    words_of(
        "car automobile vehicle house home building street road way path man woman boy girl child person people "
        "mother father parent doctor physician teacher student worker money cash income profit loss work job task "
        "problem issue question answer change climate weather rain snow wind fire water food meal dinner lunch "
        "breakfast bread meat fruit vegetable fast quick rapid slow big large huge small tiny little long short tall "
        "happy glad sad angry mad good great bad poor rich old new young hot warm cold cool light dark heavy easy "
        "hard difficult simple strong weak safe dangerous beautiful pretty ugly clean dirty full empty open closed "
        "begin start end finish stop buy purchase sell give take get receive make create build destroy break fix "
        "repair help assist love hate like want need know think believe say tell speak talk see look watch hear "
        "listen walk run move go come stay leave enter exit up down global equal both all some many most few several "
        "any every each other another first second third last next previous option choice none above below true false "
        "yes no maybe unknown it they he she we i you this that these those here there now then today tomorrow "
        "yesterday day night week month year time hour minute number amount sum total value result solution reason "
        "cause effect purpose goal method process system model theory law rule force energy power speed mass volume "
        "area heat sun star moon sea ocean river lake mountain forest tree plant animal bird fish dog cat kid infant "
        "baby cop police officer lawyer attorney movie film picture photo image soda pop sofa couch shop store gift "
        "present sick ill error mistake approximately about around nearly almost exactly at least over under between "
        "not never always sometimes often usually probably likely"
    )
)
SUFFIXES = tuple(
    words_of(
        "ing ed ly tion sion ness ment ity ous ive ism ology ance ence able ible ful less ical sis ure ship hood ize "
        "ise ate"
    )
)


def _senses(lists: dict[str, str], *, together: str = "") -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for group, members in lists.items():
        for member in members.split():
            spellings = [one.replace("_", " ") for one in member.split("|")]
            for spelling in spellings:
                found.setdefault(spelling, (together or group, spellings[0]))
    return found


KNOWN: dict[str, tuple[str, str]] = {**_senses(_NAMES, together="name"), **_senses(_EXCLUSIVE)}
"""What a word belongs to, and its sense there. Two of one class with different senses exclude each other."""
