"""The film finder's words in English and Spanish. What is said where stands in rendering.py and answers.py."""

from helpers.spanish import fold

TEXTS = {
    "en": {
        "title": "Film finder",
        "tagline": "Describe a film in your own words, in English or in Spanish.",
        "query": "What is the film about?",
        "placeholder": "two sisters …",
        "search": "Search",
        "interface": "Language of this page",
        "theme": "Light or dark",
        "examples": "Try",
        "filters": "Filters",
        "genres": "Genre",
        "genres_info": "Films of any of the genres that you choose",
        "countries": "Country",
        "countries_info": "Choose one or more",
        "first": "From year",
        "last": "To year",
        "number": "Films shown",
        "clear": "Clear filters",
        "read_as": "Read my words as",
        "automatic": "Automatic",
        "results": "Results",
        "films": ("{n} film", "{n} films"),
        "of_films": "{n} of {total} films",
        "found": "{shown} for “{query}”",
        "newest": "To browse: {shown}, newest first",
        "pass": "{n} of {total} films pass your filters",
        "read_en": "Read as English.",
        "read_es": "Read as Spanish, understood word by word as “{english}”.",
        "wrong_language": "Not right? Change it under “Read my words as”.",
        "cut": "Your text has {n} characters; the first {longest} were read.",
        "turned": "The years stood the wrong way round and were read as {first}–{last}.",
        "nothing": "No film passes these filters",
        "loosen_title": "Loosen a filter",
        "loosen": "Without the {what} filter: {shown}.",
        "loosen_all": "No single filter is to blame: take off more than one, or clear them all.",
        "what_genres": "genre",
        "what_countries": "country",
        "what_years": "year",
        "far_off": "Nothing comes near to what you typed. These are the least distant films; other words may help.",
        "other_script": "I read English and Spanish only: with other languages, what is found is chance.",
        "no_words": "There is not a letter or a number in your text: describe the film in words.",
        "broken": "Something went wrong",
        "broken_why": "It is not your fault. Search again, or with other words; what happened stands in the app's terminal.",
        "original": "Original title",
        "why": "Why this film",
        "why_named": "Its title or director is what you typed.",
        "why_close": "Its plot is close to your words, above all where it is marked.",
        "why_related": "Its plot is related to your words, above all where it is marked.",
        "why_far": "Its plot is far from your words; the underlined part comes nearest.",
        "why_shared": "Words in common: {words}.",
        "why_shared_other": "Words in common with its Spanish plot: {words}.",
        "named": "By name",
        "close": "Close",
        "related": "Related",
        "far": "Far",
        "legend": "How to read Close, Related and Far",
        "legend_text": "They say how near a plot's meaning is to your words; no number of this kind is a probability. In a trial "
        "with 200 queries that took no part in making this app, about 5 in 6 of the close films were right, 1 in 5 of the related "
        "ones, and 1 in 20 of the far ones.",
        "about": "347 films; plots written for this course. Everything runs on this computer: nothing you type leaves it.",
    },
    "es": {
        "title": "Buscador de películas",
        "tagline": "Describe una película con tus palabras, en español o en inglés.",
        "query": "¿De qué trata la película?",
        "placeholder": "dos hermanas…",
        "search": "Buscar",
        "interface": "Idioma de esta página",
        "theme": "Claro u oscuro",
        "examples": "Prueba",
        "filters": "Filtros",
        "genres": "Género",
        "genres_info": "Películas de cualquiera de los géneros que elijas",
        "countries": "País",
        "countries_info": "Elige uno o varios",
        "first": "Desde el año",
        "last": "Hasta el año",
        "number": "Películas a la vista",
        "clear": "Quitar los filtros",
        "read_as": "Leer mis palabras como",
        "automatic": "Automático",
        "results": "Resultados",
        "films": ("{n} película", "{n} películas"),
        "of_films": "{n} de {total} películas",
        "found": "{shown} para «{query}»",
        "newest": "Para curiosear: {shown}, las nuevas primero",
        "pass": "{n} de {total} películas pasan tus filtros",
        "read_en": "Leído como inglés.",
        "read_es": "Leído como español y entendido palabra por palabra como “{english}”.",
        "wrong_language": "¿No es así? Cámbialo en «Leer mis palabras como».",
        "cut": "Tu texto tiene {n} caracteres; se han leído los {longest} primeros.",
        "turned": "Los años estaban al revés y se han leído como {first}–{last}.",
        "nothing": "Ninguna película pasa estos filtros",
        "loosen_title": "Afloja un filtro",
        "loosen": "Sin el filtro de {what}: {shown}.",
        "loosen_all": "No basta con quitar un solo filtro: quita más de uno, o todos.",
        "what_genres": "género",
        "what_countries": "país",
        "what_years": "año",
        "far_off": "Nada se acerca a lo que has escrito. Estas son las películas menos lejanas; prueba con otras palabras.",
        "other_script": "Solo leo español e inglés: con otras lenguas, lo que se encuentra es casualidad.",
        "no_words": "En tu texto no hay ni una letra ni un número: describe la película con palabras.",
        "broken": "Algo ha fallado",
        "broken_why": "No es culpa tuya. Busca otra vez o con otras palabras; lo ocurrido está en la terminal de la aplicación.",
        "original": "Título original",
        "why": "Por qué esta película",
        "why_named": "Su título o su director es lo que has escrito.",
        "why_close": "Su argumento se acerca a tus palabras, sobre todo en lo marcado.",
        "why_related": "Su argumento es afín a tus palabras, sobre todo en lo marcado.",
        "why_far": "Su argumento queda lejos de tus palabras; lo subrayado es lo que más se acerca.",
        "why_shared": "Palabras en común: {words}.",
        "why_shared_other": "Palabras en común con su argumento en inglés: {words}.",
        "named": "Por el nombre",
        "close": "Cercana",
        "related": "Afín",
        "far": "Lejana",
        "legend": "Cómo leer Cercana, Afín y Lejana",
        "legend_text": "Dicen cuánto se acerca el sentido de un argumento a tus palabras; ningún número de este tipo es una "
        "probabilidad. En una prueba con 200 búsquedas que no se usaron para hacer esta aplicación, acertaban más o menos 5 de "
        "cada 6 películas cercanas, 1 de cada 5 afines y 1 de cada 20 lejanas.",
        "about": "347 películas; los argumentos se escribieron para este curso. Todo ocurre en este ordenador: nada de lo que "
        "escribes sale de él.",
    },
}

EXAMPLES = {
    "en": ["a chess game with death", "a cook in love by letter", "films by Kurosawa"],
    "es": ["una niña y un fauno", "unos mellizos buscan a su padre", "cine de Almodóvar"],
}

GENRES_ES = {
    "Action": "Acción", "Adventure": "Aventuras", "Animation": "Animación", "Biography": "Biografía", "Comedy": "Comedia",
    "Crime": "Crimen", "Documentary": "Documental", "Drama": "Drama", "Family": "Familiar", "Fantasy": "Fantasía",
    "History": "Historia", "Horror": "Terror", "Musical": "Musical", "Mystery": "Misterio", "Romance": "Romance",
    "Science fiction": "Ciencia ficción", "Sport": "Deporte", "Thriller": "Suspense", "War": "Bélico", "Western": "Wéstern",
}  # fmt: skip

COUNTRIES_ES = {
    "Algeria": "Argelia", "Argentina": "Argentina", "Australia": "Australia", "Austria": "Austria", "Belgium": "Bélgica",
    "Bhutan": "Bután", "Bolivia": "Bolivia", "Bosnia and Herzegovina": "Bosnia y Herzegovina", "Brazil": "Brasil",
    "Bulgaria": "Bulgaria", "Burkina Faso": "Burkina Faso", "Canada": "Canadá", "Chile": "Chile", "China": "China",
    "Colombia": "Colombia", "Cuba": "Cuba", "Czechoslovakia": "Checoslovaquia", "Denmark": "Dinamarca",
    "Dominican Republic": "República Dominicana", "East Germany": "Alemania Oriental", "Ecuador": "Ecuador",
    "Egypt": "Egipto", "Finland": "Finlandia", "France": "Francia", "Georgia": "Georgia", "Germany": "Alemania",
    "Greece": "Grecia", "Guatemala": "Guatemala", "Hong Kong": "Hong Kong", "Hungary": "Hungría", "Iceland": "Islandia",
    "India": "India", "Indonesia": "Indonesia", "Iran": "Irán", "Ireland": "Irlanda", "Israel": "Israel",
    "Italy": "Italia", "Japan": "Japón", "Kazakhstan": "Kazajistán", "Latvia": "Letonia", "Lebanon": "Líbano",
    "Lesotho": "Lesoto", "Mali": "Malí", "Mexico": "México", "Morocco": "Marruecos", "Netherlands": "Países Bajos",
    "New Zealand": "Nueva Zelanda", "Nigeria": "Nigeria", "North Macedonia": "Macedonia del Norte", "Norway": "Noruega",
    "Palestine": "Palestina", "Paraguay": "Paraguay", "Peru": "Perú", "Philippines": "Filipinas", "Poland": "Polonia",
    "Portugal": "Portugal", "Puerto Rico": "Puerto Rico", "Romania": "Rumanía", "Russia": "Rusia",
    "Saudi Arabia": "Arabia Saudí", "Senegal": "Senegal", "South Africa": "Sudáfrica", "South Korea": "Corea del Sur",
    "Soviet Union": "Unión Soviética", "Spain": "España", "Sweden": "Suecia", "Switzerland": "Suiza", "Taiwan": "Taiwán",
    "Thailand": "Tailandia", "Tunisia": "Túnez", "Turkey": "Turquía", "United Kingdom": "Reino Unido",
    "United States": "Estados Unidos", "Uruguay": "Uruguay", "Venezuela": "Venezuela", "Vietnam": "Vietnam",
    "West Germany": "Alemania Occidental", "Yugoslavia": "Yugoslavia",
}  # fmt: skip


def name(value: str, language: str) -> str:
    """A genre or a country in a language; the data's own word where there is no translation yet.

    >>> name("Science fiction", "es"), name("Spain", "en")
    ('Ciencia ficción', 'Spain')
    """
    return (GENRES_ES | COUNTRIES_ES).get(value, value) if language == "es" else value


def films(n: int, language: str) -> str:
    """A number of films in words: "1 film", "57 películas"."""
    one, several = TEXTS[language]["films"]
    return (one if n == 1 else several).format(n=n)


def number(n: int, language: str) -> str:
    """A number with its thousands apart, as the language has it.

    >>> number(100_000, "en")
    '100,000'
    """
    return f"{n:,}" if language == "en" else f"{n:,}".replace(",", "\u00a0")


def readings(language: str) -> list[tuple[str, str]]:
    """The choices of "Read my words as"."""
    return [(TEXTS[language]["automatic"], "auto"), ("English", "en"), ("Español", "es")]


def sort_key(text: str) -> str:
    """Alphabetical order in both languages: accents do not count, ñ follows n."""
    return fold(text).replace("ñ", "n~")
