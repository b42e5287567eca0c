// SPDX-License-Identifier: MIT

package desk

// dialogues are said one line after another.
const dialogues = `
hold room 301 from 12 December for 2 nights => holds 301 2026-12-12 2
actually make it 3 nights => "Shall I hold room 301 for the nights"
make it room 302 instead => "Shall I hold room 302 for the nights"
book room 302 instead => "Shall I book room 302 for the nights"
book => -holds 301 2026-12-12 2, books 302 2026-12-12 3

hold room 303 from 12 December for 2 nights => holds 303 2026-12-12 2
no, from 14 December => "How many nights?"
cancel that and hold room 304 from 12 December for 2 nights => "One thing at a time, please. What"
yes => "Shall I book room 303 for the nights"

book room 305 from 12 December for 2 nights => books 305 2026-12-12 2
extend => "I am not holding a room for you."
one more night please => "I cannot change the nights of a"
extend my stay by one night => "I cannot change the nights of a"
cancel => -books 305 2026-12-12 2
cancel => "There is nothing to cancel."

book room 306 from 12 December for 2 nights => books 306 2026-12-12 2
book room 306 from 12 December for 2 nights => "That is yours already: the booking"
book room 306 from 13 December for 2 nights => "That is yours already: the booking"

book room 307 from 12 December for 2 nights => books 307 2026-12-12 2

cancel room 307 from 12 December => "There is nothing to cancel."
cancel HF-DYU2N => "There is nothing to cancel."
cancel booking of m5 => "There is nothing to cancel."

book room 308 from 12 December for 2 nights => books 308 2026-12-12 2
book room 309 from 12 December for 2 nights => books 309 2026-12-12 2
cancel room 308 => -books 308 2026-12-12 2

hold room 310 from 12 December for 2 nights => holds 310 2026-12-12 2
book room 310 from 12 December for 3 nights => -holds 310 2026-12-12 2, books 310 2026-12-12 3

hold room 401 from 12 December for 2 nights => holds 401 2026-12-12 2
which rooms are free from 12 December for 2 nights => "Free for the nights of 12 and 13"
is room 401 free from 12 December for 2 nights => "That is yours already: the hold"

book => "Which nights? For example: "book"
12 December for 2 nights => books 101 2026-12-12 2
room 402 => "Which nights? For example: "book"

book room 402 => "Which nights? For example: "book"
from 12 December to 14 December => books 402 2026-12-12 2

hold room 404 from 12 December for 2 nights => holds 404 2026-12-12 2
I don't want to book => "All right, nothing is changed."

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
do not cancel => "All right, nothing is changed."

hold room 103 from 12 December for 2 nights => holds 103 2026-12-12 2
I don't want to book it => "All right, nothing is changed."

book room 201 from 12 December for 2 nights => books 201 2026-12-12 2
book room 202 from 12 December for 2 nights => books 202 2026-12-12 2
cancel room 201 => -books 201 2026-12-12 2

book room 210 for 2.5 nights from 20 December => "A stay is a number of whole nights."
book room 209 the day after tomorrow for 1 night => books 209 2026-12-03 1
book room 207 from 20 December to 22 December and room 208 from 24 December to 26 December => "One room at a time, please. Which"

book room 102 from 12 December for 2 nights => books 102 2026-12-12 2
can I cancel later? => "Nothing is cancelled. Shall I cancel"

hold room 104 from 12 December for 2 nights => holds 104 2026-12-12 2
no, don't book => "All right, nothing is changed."

hold room 105 from 12 December for 2 nights => holds 105 2026-12-12 2
what did I book? => "You have the hold on room 105 for"

hold room 106 from 12 December for 2 nights => holds 106 2026-12-12 2
no => "All right, nothing is changed."
no gracias => "De acuerdo, no cambia nada. Diga"
thanks, but I need to think longer about it => "All right, nothing is changed."

hold room 107 from 12 December for 2 nights => holds 107 2026-12-12 2
actually make it 3 nights => "Shall I hold room 107 for the nights"
hold it for 3 nights => -holds 107 2026-12-12 2, holds 107 2026-12-12 3
book 3 nights from 12 December => -holds 107 2026-12-12 3, books 107 2026-12-12 3

hold room 108 from 12 December for 2 nights => holds 108 2026-12-12 2
book room 109 instead => "Shall I book room 109 for the nights"

book room 110 from 12 December for 2 nights => books 110 2026-12-12 2
book room 110 from 12 December for 2 nights => "That is yours already: the booking"
book room 110 from 13 December for 2 nights => "That is yours already: the booking"
extend my stay by one night => "I cannot change the nights of a"

book room 203 from 12 December for 2 nights => books 203 2026-12-12 2

book room 204 from 12 December for 2 nights => books 204 2026-12-12 2
cancel the booking of room 203 => "Nothing of yours is like that."

book room 205 from 12 December for 2 nights => books 205 2026-12-12 2
cancel HF-ZZZZZ => "Nothing of yours is like that."
cancel hf-zzzzz please => "Nothing of yours is like that."

hold room 206 from 12 December for 2 nights => holds 206 2026-12-12 2
which rooms are free from 12 December for 2 nights => "Free for the nights of 12 and 13"
is room 206 free from 12 December for 2 nights => "That is yours already: the hold"

book room 206 and 207 from 12 December for 2 nights => "One room at a time, please. Which"

book room 207 from 20 December to 22 December and room 208 from 24 December to 26 December => "One room at a time, please. Which"

book => "Which nights? For example: "book"
12 December for 2 nights => books 101 2026-12-12 2
from 12 December for 2 nights => "What shall I do about a room for"

book room 209 => "Which nights? For example: "book"
from 12 December to 14 December => books 209 2026-12-12 2

book room 210 for 2.5 nights from 20 December => "A stay is a number of whole nights."
book room 210 the day after tomorrow for 1 night => books 210 2026-12-03 1
book room 210 for 1,5 nights from 10 December => "A stay is a number of whole nights."
cancel hold and book room 210 from 28 December for 2 nights => "One thing at a time, please. What"

hold room 207 from 12 December for 2 nights => holds 207 2026-12-12 2
hold room 207 from 16 December for 2 nights => -holds 207 2026-12-12 2, holds 207 2026-12-16 2

HOLA, quisiera reservar la habitación 208 del 12 al 15 de diciembre de 2027 => books 208 2027-12-12 3
cancelar mi reserva => -books 208 2027-12-12 3

reservar la habitación 101 desde el 24 de diciembre por 2 noches => books 101 2026-12-24 2
si => "De acuerdo, no cambia nada. Diga"
no => "De acuerdo, no cambia nada. Diga"

book room 101 on 2026-12-18 for 2 nights, 2 adults, 1 child age 101 => books 101 2026-12-18 2

book 2 rooms from 12 December for 2 nights => "One room at a time, please. Which"

my phone number is 555, book from 12 December for 2 nights => "There is no room 555 here. Which"

book from 12 December for 2 nights, arriving 23:30, flight 456 => "There is no room 456 here. Which"

book room 101 from 12 December for 1 night at 100 euros => "Shall I book room 101 for the night"

book room 101 => "Which nights? For example: "book"
for 2 nights from 12 December => books 101 2026-12-12 2

book room 101 from 12 December => "How many nights?"
2 => books 101 2026-12-12 2

book room 101 from 12 December => "How many nights?"
three nights => books 101 2026-12-12 3

book room 101 from 12 December => "How many nights?"
until 15 December => books 101 2026-12-12 3

book room 101 from 12 December => "How many nights?"
2.5 => "How many nights?"
3 nights => books 101 2026-12-12 3

book room 101 from 12 December => "How many nights?"
mumble => "How many nights?"
no => "All right, nothing is changed."

book from 12 December for 2 nights? => "Shall I book a room for the nights"
yes => books 101 2026-12-12 2

book from 12 December for 2 nights? => "Shall I book a room for the nights"
no => "All right, nothing is changed."
yes => "All right, nothing is changed."

book room 101 from 3/4 to 5/4 => "Shall I book room 101 for the nights"
month first => "Shall I book room 101 for the nights"
no => "All right, nothing is changed."

book room 101 from 3/4 for 2 nights => "Is that 3 April 2027 or 4 March"
day first => books 101 2027-04-03 2
book room 102 from 5/4 for 1 night => books 102 2027-04-05 1

book room 101 from 3/4 for 2 nights => "Is that 3 April 2027 or 4 March"
3 April => books 101 2027-04-03 2

book room 101 from 3/4 for 2 nights => "Is that 3 April 2027 or 4 March"
March 4th => books 101 2027-03-04 2
hold room 102 from 6/4 for 2 nights => holds 102 2027-06-04 2

book room 999 from 12 December for 2 nights => "There is no room 999 here. Which"
101 => books 101 2026-12-12 2

book rooms 101 and 102 from 12 December for 2 nights => "One room at a time, please. Which"
room 102 => books 102 2026-12-12 2

book rooms 101 and 102 from 12 December for 2 nights => "One room at a time, please. Which"
101 => books 101 2026-12-12 2

book room 101 from 30 February for 2 nights => "There is no 30 February in the"
28 February => "How many nights?"
2 nights => books 101 2027-02-28 2

book room 101 from 15 December to 12 December => "The day of departure must come"
12 December to 15 December => "Shall I book room 101 for the nights"

book room 101 from 12 December for 40 nights => "The longest stay is 30 nights."
10 => books 101 2026-12-12 10

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
book room 102 from 12 December for 2 nights => books 102 2026-12-12 2
cancel => "Which one do you mean: the booking"
room 101 => -books 101 2026-12-12 2

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
book room 102 from 12 December for 2 nights => books 102 2026-12-12 2
cancel my booking => "Which one do you mean: the booking"
the second => "Nothing is cancelled. Shall I cancel"

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
book room 102 from 12 December for 2 nights => books 102 2026-12-12 2
cancel => "Which one do you mean: the booking"
both => "Which one do you mean: the booking"
no => "All right, nothing is changed."

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
hold room 102 from 12 December for 2 nights => holds 102 2026-12-12 2
hello => "Try: "which rooms are free from"
cancel => "Which one do you mean: the hold"
the hold => -holds 102 2026-12-12 2

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
hold room 102 from 12 December for 2 nights => holds 102 2026-12-12 2
cancel => -holds 102 2026-12-12 2

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
hold room 102 from 12 December for 2 nights => holds 102 2026-12-12 2
cancel my booking => -books 101 2026-12-12 2
cancel my hold => -holds 102 2026-12-12 2

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
cancel room 102 => "Nothing of yours is like that."
cancel 13 December => "Nothing of yours is like that."
cancel from 12 December => "Nothing is cancelled. Shall I cancel"

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
can I cancel? => "Nothing is cancelled. Shall I cancel"
yes => -books 101 2026-12-12 2

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
book room 102 => "Which nights? For example: "book"
cancel => "All right, nothing is changed."
cancel => -books 101 2026-12-12 2

hold room 101 from 12 December for 2 nights => holds 101 2026-12-12 2
yes => "Shall I book room 101 for the nights"
yes => -holds 101 2026-12-12 2, books 101 2026-12-12 2

hold room 101 from 12 December for 2 nights => holds 101 2026-12-12 2
make it room 102 => "Shall I hold room 102 for the nights"
yes => -holds 101 2026-12-12 2, holds 102 2026-12-12 2

hold room 101 from 12 December for 2 nights => holds 101 2026-12-12 2
another room => "Shall I hold a room for the nights"
yes => -holds 101 2026-12-12 2, holds 102 2026-12-12 2

hold room 101 from 12 December for 2 nights => holds 101 2026-12-12 2
extend => extended 1 times
extend it by 10 minutes => -extended 1 times, extended 2 times
can you extend it? => "Shall I extend your hold on room"
yes => -extended 2 times, extended 3 times

hold room 101 from 12 December for 2 nights => holds 101 2026-12-12 2
don't extend => "All right, nothing is changed."
one more night => "I cannot change the nights of a"
keep it => "I hold room 101 for you for the"

which rooms are free from 12 December for 2 nights => "Free for the nights of 12 and 13"
book 102 => "Shall I book room 102 for the nights"
yes => books 102 2026-12-12 2

which rooms are free from 12 December for 2 nights => "Free for the nights of 12 and 13"
102 => "Shall I book room 102 for the nights"
yes please => books 102 2026-12-12 2

which rooms are free from 12 December for 2 nights => "Free for the nights of 12 and 13"
book => "Shall I book a room for the nights"
yes => books 101 2026-12-12 2

what is free => "Which nights? For example: "book"
tomorrow => "Free for the night of 2 December"

I want to stay from 12 December to 14 December => "Shall I book a room for the nights"
yes, but in room 102 => "Shall I book room 102 for the nights"
yes => books 102 2026-12-12 2

room 101 from 12 December for 2 nights => "What shall I do about room 101 for"
book it => books 101 2026-12-12 2

room 101 from 12 December for 2 nights => "What shall I do about room 101 for"
hold => holds 101 2026-12-12 2

room 101 from 12 December for 2 nights => "What shall I do about room 101 for"
free => "Free for the nights of 12 and 13"

book => "Which nights? For example: "book"
which rooms are free from 12 December for 2 nights => "Free for the nights of 12 and 13"
no => "All right, nothing is changed."

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
my bookings => "You have the booking of room 101"
book room 101 from 12 December for 2 nights => "That is yours already: the booking"

reservar la habitación 101 => "¿Qué noches? Por ejemplo: «reservar"
del 12 al 14 de diciembre => books 101 2026-12-12 2
mis reservas => "Tiene la reserva de la habitación"
cancelar => -books 101 2026-12-12 2
no => "De acuerdo, no cambia nada. Diga"

reservar la habitación 101 desde el 12 de diciembre => "¿Cuántas noches?"
dos noches => books 101 2026-12-12 2
¿puedo cancelar? => "No se ha cancelado nada. ¿Cancelo"
sí => -books 101 2026-12-12 2

guarda la habitación 101 desde el 12 de diciembre por 2 noches => holds 101 2026-12-12 2
no => "De acuerdo, no cambia nada. Diga"
sí => "¿Reservo la habitación 101 para"
sí => -holds 101 2026-12-12 2, books 101 2026-12-12 2

book room 101 from Friday for 2 nights? => "Shall I book room 101 for the nights"
yes but not room 101 => "All right, nothing is changed."
no => "All right, nothing is changed."

book room 101 from Friday for 2 nights? => "Shall I book room 101 for the nights"
ok => books 101 2026-12-04 2
no => "All right, nothing is changed."

hold room 101 from Friday for 2 nights => holds 101 2026-12-04 2
don't cancel => "All right, nothing is changed."
do not release it => "All right, nothing is changed."
stop => "All right, nothing is changed."
cancel it => -holds 101 2026-12-04 2

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
hold room 102 from 20 December for 2 nights => holds 102 2026-12-20 2
book room 103 from 24 December for 2 nights => -holds 102 2026-12-20 2, books 103 2026-12-24 2
cancel room 101 and room 102 => "Which one do you mean: the booking"
101 => -books 101 2026-12-12 2

book room 101 from Friday => "How many nights?"
for a week => books 101 2026-12-04 7

book room 101 from Friday => "How many nights?"
no => "All right, nothing is changed."

book room 101 from Friday => "How many nights?"
2 or 3 => "How many nights?"
2 => books 101 2026-12-04 2

book => "Which nights? For example: "book"
cancel => "All right, nothing is changed."
yes => "All right, nothing is changed."

book room 101 from 12 December => "How many nights?"
the 14th => "Shall I book room 101 for the nights"
yes => books 101 2026-12-12 2

book room 101 from 12 December => "How many nights?"
14 December => "Shall I book room 101 for the nights"

book room 101 from 12 December => "How many nights?"
just one => books 101 2026-12-12 1

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
book room 102 from 20 December for 2 nights => books 102 2026-12-20 2
cancel => "Which one do you mean: the booking"
the last one => "Which one do you mean: the booking"
the first one => "Nothing is cancelled. Shall I cancel"

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
book room 102 from 20 December for 2 nights => books 102 2026-12-20 2
cancel all but room 101 => "Which one do you mean: the booking"
no => "All right, nothing is changed."

book room 101 from 12 December for 2 nights => books 101 2026-12-12 2
cancel one night => "I cannot change the nights of a"
change it to 3 nights => "I cannot change the nights of a"

is room 101 free tomorrow? => "Free for the night of 2 December"
the first one => "Free for the night of 2 December"
yes => "Shall I book room 101 for the night"

book room 101 from 3/4 for 2 nights => "Is that 3 April 2027 or 4 March"
the second one => "Shall I book room 101 for the nights"

para mañana => "¿Cuántas noches?"
reservar => "¿Cuántas noches?"
2 noches => "¿Reservo una habitación para las"

¿me reserva la 101 para el viernes, dos noches? => "¿Reservo la habitación 101 para"
venga => "¿Reservo la habitación 101 para"
vale => books 101 2026-12-04 2
`
