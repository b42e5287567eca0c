// SPDX-License-Identifier: MIT

package desk

// strangers said these when the reader was done.
const strangers = `hi, me and my wife want to come on the 18th for three nights => "Shall I book a room for the nights"
got anything for New Year's Eve? => "Which nights? For example: "book"
we'd like 101 from Saturday through Tuesday => "Shall I book room 101 for the nights"
put me down for room 104, Dec 20, 2 nts => "How many nights?"
can u book 105 4 me tmrw => "How many nights?"
book 101 from 14th to 16th => "Shall I book room 101 for the nights"
booking for Smith, 2 people, 13-15 Dec, room 103 pls => "Shall I book room 103 for the nights"
gimme a room 2nite => "There is no room 2nite here. Which"
I need to check in at 3pm on December 14 and check out at 11am on December 16, room 102 => "Shall I book room 102 for the nights"
Room 101 please, arriving Monday, staying 3 nights => "Shall I book room 101 for the nights"
is there anything available next weekend? => "Free for the nights of 4 and 5"
book me the cheapest room for tomorrow => "How many nights?"
Please reserve room 110 for Mr. O'Brien from 15/12/26 to 18/12/26. => "Shall I book room 110 for the nights"
book room 101 Dec 12th - Dec 15th => books 101 2026-12-12 3
book room 101 12th-15th December => books 101 2026-12-12 3
book room 101 from Dec. 12 to Dec. 15 => books 101 2026-12-12 3
I'd like to book. Room 101. From 12 December. For two nights. => books 101 2026-12-12 2
book, room 101, 12 December, 2 nights => books 101 2026-12-12 2
room 101, 12 December, 2 nights, book => books 101 2026-12-12 2
two nights in room 101 starting the 20th of December; book it => books 101 2026-12-20 2
Could I possibly get room 101 from 12 Dec till 14 Dec? => "Shall I book room 101 for the nights"
book room 101 from 12 December for 2 nights and don't tell anyone => "Shall I book room 101 for the nights"
hold 105 for my boss 20-22 December => "Shall I hold room 105 for the nights"
Reserve 101, 24 December, one night only => books 101 2026-12-24 1
book 101 for 12 nights from 5 December => books 101 2026-12-05 12
book from the 12 to the 15 => "Shall I book a room for the nights"
book room 101 for the 12th => "How many nights?"
book room 101 on 12 December for one or two nights => "Shall I book room 101 for the nights"
I'm not sure. book room 101 from 12 December for 2 nights. => "Shall I book room 101 for the nights"
book room 101 for 2 nights from next month => "Which nights? For example: "book"
book room 101 for 2 nights from next week => "Which nights? For example: "book"
book room 101 for 2 nights from the end of December => "Which nights? For example: "book"
book room 101 for 2 nights around Christmas => "Which nights? For example: "book"
book room 101 every Friday for 2 nights => "Shall I book room 101 for the nights"
book room 101 for two weeks from Monday => books 101 2026-12-07 14
book room 101 for a fortnight from Monday => "How many nights?"
book a week from Monday => "Which nights? For example: "book"
book a week from today for 2 nights => "Which nights? For example: "book"
book Monday week for 2 nights => "Shall I book a room for the nights"
book room 101 for 3 nights ending 15 December => "Shall I book room 101 for the nights"
book room 101 for 3 nights until 15 December => "Shall I book room 101 for the nights"
book room 101 from 12 December, 3 guests, 2 nights => books 101 2026-12-12 2
book rooms 101 to 103 from 12 December for 2 nights => "One room at a time, please. Which"
book rooms 101-103 from 12 December for 2 nights => "One room at a time, please. Which"
book two singles from 12 December for 2 nights => "Shall I book a room for the nights"
book room 101 twice from 12 December for 2 nights => "Shall I book room 101 for the nights"
book another one like last time => "Which nights? For example: "book"
same again => "I did not understand that. I read"
book 101 12/12/2026 12/14/2026 => "Shall I book room 101 for the nights"
book 101 2026-12-12 2026-12-14 => "Shall I book room 101 for the nights"
book 101 12.12-14.12 => books 101 2026-12-12 2
book 101 12/12-14/12 => books 101 2026-12-12 2
book 101 20261212 to 20261214 => "Which nights? For example: "book"
book 101 from 12 to 14 Dec, or 13 to 15 Dec => "One stay at a time, please. Which"
book 101 from 12 Dec 2 nights; cancel 102 => "One thing at a time, please. What"
delete everything => "There is nothing to cancel."
book it => "Which nights? For example: "book"
yes book it => "Which nights? For example: "book"
I want to cancel => "There is nothing to cancel."
I would like to cancel my reservation for room 101 => "There is nothing to cancel."
please cancel => "There is nothing to cancel."
annul => "There is nothing to cancel."
cancel the cancellation => "There is nothing to cancel."
uncancel my booking => "You have neither a hold nor a booking."
don't you dare cancel => "All right, nothing is changed."
hold the line => "Which nights? For example: "book"
hold your horses => "Which nights? For example: "book"
keep the change => "Which nights? For example: "book"
can you keep a secret? => "Which nights? For example: "book"
extend your hours => "I am not holding a room for you."
book of Mormon => "Which nights? For example: "book"
release the kraken => "There is nothing to cancel."
book now! => "Which nights? For example: "book"
BOOK NOW FOR 2 NIGHTS => "Which nights? For example: "book"
I booked room 101 from 12 December for 2 nights yesterday => "You have neither a hold nor a booking."
reserve judgement => "Which nights? For example: "book"
I have a reservation about this => "Which nights? For example: "book"
room service please => "I did not understand that. I read"
confirm => "Which nights? For example: "book"
confirmed => "¿Qué noches? Por ejemplo: «reservar"
k => "I did not understand that. I read"
da => "I did not understand that. I read"
si si => "De acuerdo, no cambia nada. Diga"
no no no => "All right, nothing is changed."
noooo => "All right, nothing is changed."
y => "No le he entendido. Leo español"
n => "I did not understand that. I read"
book room 101 from 3 and 4 December => "Shall I book room 101 for the night"
book room 101 for 2 nights from Friday in January => "Shall I book room 101 for the nights"
book room 101 102 from Friday for 2 nights => "Shall I book room 101 for the nights"
book room 101 from 31 to 2 January => "The day of departure must come"
book room 101 Tuesday for 2 nights => "Shall I book room 101 for the nights"
book 102 from Friday for 2 nights and 103 from Monday for 1 night => "How many nights?"
book room 101 from Friday for 2 nights, then room 102 from Sunday for 1 night => "How many nights?"
book room 101 from Friday for 3 nights 4 days => "How many nights?"
book room 101 the week of 12 December => "How many nights?"
book room 101 from 12 December at 11 for 2 nights => "Shall I book room 101 for the nights"
book 1 room from 12 December for 2 nights => books 101 2026-12-12 2
book one room from 12 December for 2 nights => books 101 2026-12-12 2
book a double from 12 December for 2 nights => "Shall I book a room for the nights"
please book room 101 for me from 12 December for 2 nights, thank you very much! => books 101 2026-12-12 2
hello, I want to book room 101 from 12 December to 14 December => books 101 2026-12-12 2
Good evening! I need to reserve room 102 for two people from 20 to 22 December please => books 102 2026-12-20 2
ok so book room 101 from Friday for 2 nights => books 101 2026-12-04 2
hi there. book me in for Friday and Saturday night => "Shall I book a room for the night"
I would like to make a reservation for room 105 from 12 December to 14 December => books 105 2026-12-12 2
I'll take room 101 from Friday to Sunday => books 101 2026-12-04 2
reserve 2 nights for me in room 101 from Friday => books 101 2026-12-04 2
can I get a room tonight? => "Shall I book a room for the night"
I want a room tonight => "Shall I book a room for the night"
room for tonight => "What shall I do about a room for"
need somewhere to sleep tonight => "Shall I book a room for the night"
book room 101 from Friday for 2 nights unless it is taken => "Shall I book room 101 for the nights"
book room 101 from Friday for 2 nights only if room 102 is not free => "One room at a time, please. Which"
book room 101 not room 102 from Friday for 2 nights => "One room at a time, please. Which"
book room 101 from Friday, no, Saturday, for 2 nights => "How many nights?"
book room 101 from Friday for 2 nights, sorry, 3 nights => "How many nights?"
book room 101 from Friday for 2 nights, I mean room 102 => "One room at a time, please. Which"
cancel room 101, I mean room 102 => "There is nothing to cancel."
hold or book room 101 from Friday for 2 nights => "One thing at a time, please. What"
I did not book room 101 from Friday for 2 nights => "All right, nothing is changed."
who booked room 101 from Friday for 2 nights => "What shall I do about room 101 for"
was room 101 booked from Friday for 2 nights => "What shall I do about room 101 for"
why can't I book room 101 from Friday for 2 nights? => "All right, nothing is changed."
let's not book room 101 from Friday for 2 nights => "All right, nothing is changed."
let's book room 101 from Friday for 2 nights => books 101 2026-12-04 2
stop! book room 101 from Friday for 2 nights => "Shall I book room 101 for the nights"
I regret to book room 101 from Friday for 2 nights => "Shall I book room 101 for the nights"
tell Bob to book room 101 from Friday for 2 nights => "Shall I book room 101 for the nights"
tell me when room 101 is free => "Which nights? For example: "book"
would you hold room 101 from Friday for 2 nights for me => "Shall I hold room 101 for the nights"
book room 101 from Friday for 2 nights in Madrid => "Shall I book room 101 for the nights"
book a table for two tonight => "Shall I book a room for the night"
book a taxi for tomorrow => "How many nights?"
book a flight from Friday to Sunday => "Shall I book a room for the nights"
book a meeting room from 12 December to 14 December => "Shall I book a room for the nights"
reserva una mesa para dos esta noche => "¿Reservo una habitación para la"
quiero la habitación 101 no la 102 desde el viernes por 2 noches => "De acuerdo, no cambia nada. Diga"
reservar la habitación 101 desde el viernes por 2 noches, mejor 3 => "¿Reservo la habitación 101 para"
reservar 2 noches en la 101 a partir del viernes => "¿Reservo la habitación 101 para"
deseo reservar del 24 de diciembre al 2 de enero => books 101 2026-12-24 9
resérvame una habitación del lunes 7 al jueves 10 => "¿Reservo una habitación para las"
reservar la 101 del 12 al 14 de dic. => books 101 2026-12-12 2
¿podría reservar la 101 del 12 al 14 de diciembre? => "¿Reservo la habitación 101 para"
reservar el 12 y 13 de diciembre => "¿Reservo una habitación para la"
resérveme la habitación ciento uno desde el viernes por 2 noches => "¿Reservo una habitación para las"
cancele mi reserva, por favor => "No hay nada que cancelar."
¿me puede guardar la habitación 101 para el viernes? => "¿Cuántas noches?"
no canceles, amplía => "No le estoy guardando ninguna habitación."
¿qué habitaciones hay del 12 al 14? => "Libres para las noches del 12 y"
quiero la 102 del 12 al 14 de diciembre => "¿Reservo la habitación 102 para"
me quedo con la 101 desde mañana, 2 noches => "¿Qué hago con la habitación 101 para"
anula todo => "No hay nada que cancelar."
no anules nada, por favor => "De acuerdo, no cambia nada. Diga"
hazme una reserva en la 103 del 20 al 23 de diciembre => books 103 2026-12-20 3
reserva cancelada => "De una cosa en una, por favor."
ya no la quiero => "De acuerdo, no cambia nada. Diga"
`

const strangerTalks = `
book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
actually cancel that => -books 101 2026-12-12 2
yes => "All right, nothing is changed."

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
change it to 3 nights => "I cannot change the nights of a"
change room to 102 => "I cannot change the nights of a"

hold room 101 from 12 December for 2 nights => holds 101 2026-12-12 2
ok book => -holds 101 2026-12-12 2, books 101 2026-12-12 2
thanks => "All right, nothing is changed."

book room 101 from 12 December => "How many nights?"
2 nights? => "Shall I book room 101 for the nights"

book room 101 from 12 December => "How many nights?"
a night => books 101 2026-12-12 1

book room 101 from 12 December => "How many nights?"
two please => books 101 2026-12-12 2

book room 101 from 12 December => "How many nights?"
till Tuesday => "The day of departure must come"

book room 101 from 12 December => "How many nights?"
the 14th => "Shall I book room 101 for the nights"

book room 101 from 12 December => "How many nights?"
room 102 => "How many nights?"

book room 101 => "Which nights? For example: "book"
tomorrow => "How many nights?"

book room 101 => "Which nights? For example: "book"
the 12th => "How many nights?"
two => "Shall I book room 101 for the nights"

book room 101 => "Which nights? For example: "book"
next week => "Which nights? For example: "book"
Monday => "How many nights?"
2 => books 101 2026-12-07 2

book for 2 nights => "Which nights? For example: "book"
Friday => books 101 2026-12-04 2

book for 2 nights => "Which nights? For example: "book"
room 102 => "Which nights? For example: "book"
Friday => books 102 2026-12-04 2

book from Friday to Sunday? => "Shall I book a room for the nights"
yes, room 105 => "Shall I book room 105 for the nights"

book from Friday to Sunday? => "Shall I book a room for the nights"
make it 3 nights => "Shall I book a room for the nights"
yes => books 101 2026-12-04 3

book from Friday to Sunday? => "Shall I book a room for the nights"
hold it instead => "Shall I hold a room for the nights"
yes => holds 101 2026-12-04 2

book from Friday to Sunday? => "Shall I book a room for the nights"
is 101 free tomorrow? => "Free for the night of 2 December"
yes => "Shall I book room 101 for the night"

book from Friday to Sunday? => "Shall I book a room for the nights"
help => "Try: "which rooms are free from"
yes => "All right, nothing is changed."

book room 101 from 3/4 for 2 nights => "Is that 3 April 2027 or 4 March"
the first one => "Shall I book room 101 for the nights"

book room 101 from 3/4 for 2 nights => "Is that 3 April 2027 or 4 March"
yes => "Is that 3 April 2027 or 4 March"

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
book room 102 from 20 December for 2 nights => books 102 2026-12-20 2
cancel the first one => "Nothing of yours is like that."

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
book room 102 from 20 December for 2 nights => books 102 2026-12-20 2
cancel the one on 20 December => "Nothing is cancelled. Shall I cancel"

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
book room 102 from 20 December for 2 nights => books 102 2026-12-20 2
cancel => "Which one do you mean: the booking"
20 December => -books 102 2026-12-20 2

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
book room 102 from 20 December for 2 nights => books 102 2026-12-20 2
cancel => "Which one do you mean: the booking"
the last one => "Which one do you mean: the booking"

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
book room 102 from 20 December for 2 nights => books 102 2026-12-20 2
cancel => "Which one do you mean: the booking"
HF-FAKE1 => -books 102 2026-12-20 2

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
book room 102 from 20 December for 2 nights => books 102 2026-12-20 2
cancel => "Which one do you mean: the booking"
neither => "All right, nothing is changed."

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
cancel room 101 tomorrow => "Nothing of yours is like that."

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
cancel room 101 if it costs nothing => "Nothing is cancelled. Shall I cancel"
yes => -books 101 2026-12-12 2

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
cancel the second night => "Nothing of yours is like that."

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
cancel one night => "I cannot change the nights of a"

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
cancel 13 December => "Nothing of yours is like that."

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
cancel my breakfast => "Nothing is cancelled. Shall I cancel"

hold room 101 from 12 December for 2 nights => holds 101 2026-12-12 2
book room 101 for 1 night => "Shall I book room 101 for the night"
yes => -holds 101 2026-12-12 2, books 101 2026-12-12 1

hold room 101 from 12 December for 2 nights => holds 101 2026-12-12 2
book from 13 December => "How many nights?"

hold room 101 from 12 December for 2 nights => holds 101 2026-12-12 2
book until 13 December => "Shall I book room 101 for the night"
yes => -holds 101 2026-12-12 2, books 101 2026-12-12 1

hold room 101 from 12 December for 2 nights => holds 101 2026-12-12 2
book room 102 => "Shall I book room 102 for the nights"
no => "All right, nothing is changed."
book => -holds 101 2026-12-12 2, books 101 2026-12-12 2

hold room 101 from 12 December for 2 nights => holds 101 2026-12-12 2
book a different room => "Shall I book a room for the nights"
yes => -holds 101 2026-12-12 2, books 102 2026-12-12 2

which rooms are free from Friday to Sunday? => "Free for the nights of 4 and 5"
the first one => "Free for the nights of 4 and 5"

which rooms are free from Friday to Sunday? => "Free for the nights of 4 and 5"
I'll take 102 => "Shall I book room 102 for the nights"

which rooms are free from Friday to Sunday? => "Free for the nights of 4 and 5"
hold 102 => "Shall I hold room 102 for the nights"
yes => holds 102 2026-12-04 2

which rooms are free from Friday to Sunday? => "Free for the nights of 4 and 5"
ok book one of them => "Shall I book a room for the nights"
yes => books 101 2026-12-04 2

which rooms are free from Friday to Sunday? => "Free for the nights of 4 and 5"
and from Monday to Wednesday? => "Shall I book a room for the nights"

reservar la habitación 101 desde el 12 de diciembre por 2 noches => books 101 2026-12-12 2
al final no => "De acuerdo, no cambia nada. Diga"
cámbiala a 3 noches => "No puedo cambiar las noches de"
anula la 102 => "No tiene nada así. Tiene la reserva"
anula la 101 => -books 101 2026-12-12 2

reservar la habitación 101 desde el 12 de diciembre => "¿Cuántas noches?"
tres => books 101 2026-12-12 3

reservar la habitación 101 desde el 12 de diciembre => "¿Cuántas noches?"
hasta el 15 => "¿Reservo la habitación 101 para"

reservar la habitación 101 desde el 12 de diciembre => "¿Cuántas noches?"
una => "¿Cuántas noches?"

reservar la habitación 101 desde el 12 de diciembre => "¿Cuántas noches?"
ninguna => "De acuerdo, no cambia nada. Diga"

hold room 101 from Friday for 2 nights => holds 101 2026-12-04 2
extend my booking => "Shall I extend your hold on room"
no => "All right, nothing is changed."
no cancel => "All right, nothing is changed."
yes cancel => -holds 101 2026-12-04 2

hold room 101 from Friday for 2 nights => holds 101 2026-12-04 2
book my hold => -holds 101 2026-12-04 2, books 101 2026-12-04 2

hold room 101 from Friday for 2 nights => holds 101 2026-12-04 2
cancel it and book 102 => "One thing at a time, please. What"
cancel it => -holds 101 2026-12-04 2

book room 101 from Friday for 2 nights => books 101 2026-12-04 2
hold room 102 from 12 December for 2 nights => holds 102 2026-12-12 2
extend my booking => "Shall I extend your hold on room"
cancel my reservation => -books 101 2026-12-04 2

book room 101 from Friday for 2 nights => books 101 2026-12-04 2
cancel Friday => "Nothing is cancelled. Shall I cancel"

book room 101 from Friday for 2 nights => books 101 2026-12-04 2
cancel my booking from Friday to Sunday => -books 101 2026-12-04 2

book room 101 from Friday for 2 nights => books 101 2026-12-04 2
cancel my booking for 12 December => "Nothing of yours is like that."

book room 101 from Friday for 2 nights => books 101 2026-12-04 2
please cancel my booking, thank you => -books 101 2026-12-04 2

book room 101 from Friday for 2 nights => books 101 2026-12-04 2
I need to cancel because my mother is ill => "Nothing is cancelled. Shall I cancel"

book room 101 from Friday for 2 nights => books 101 2026-12-04 2
I have to cancel, sorry => "Nothing is cancelled. Shall I cancel"

book room 101 from Friday => "How many nights?"
two nights, and a baby bed => "Shall I book room 101 for the nights"
yes => books 101 2026-12-04 2

book room 101 from Friday => "How many nights?"
for 2 => books 101 2026-12-04 2

book room 101 from Friday => "How many nights?"
2 nights in room 102 => books 102 2026-12-04 2

book => "Which nights? For example: "book"
Friday to Sunday, room 102 => books 102 2026-12-04 2

book => "Which nights? For example: "book"
I want Friday to Sunday => "Shall I book a room for the nights"

book => "Which nights? For example: "book"
from tomorrow => "How many nights?"

book => "Which nights? For example: "book"
weekend => "Shall I book a room for the nights"
yes => books 101 2026-12-04 2
`
