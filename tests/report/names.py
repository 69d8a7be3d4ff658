"""Names that a report must show as they are."""

THIRTY = "Independent Rural Voters Union"
TWO_HUNDRED = ("The Alliance of Citizens for the Renewal of Local Democracy and Fair Representation " * 3)[:200]
ONE_WORD = "Donaudampfschifffahrtsgesellschaft" * 6
MARKS = r"US$ & A$ \frac{a}_b^2 100% <b>#{x}</b>"
EMOJI = "Party 🎉🚀 of joy"
DEVANAGARI = "भारतीय जनता पार्टी"
ASSAMESE = "অসম গণ পৰিষদ"

NAMES = (THIRTY, TWO_HUNDRED, ONE_WORD, MARKS, EMOJI, DEVANAGARI, ASSAMESE)
