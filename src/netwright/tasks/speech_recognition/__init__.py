"""Speech recognition: recordings and transcripts in, a network that writes down what is said out.

`task` has the task itself; `recordings` reads what people have, `loading` makes arrays of it, `features` turns sound
into log-mel frames, `units` turns transcripts into numbers, `ctc` has the loss and the decoders, `augmentation` what
training sees of an example, `spaces` the default space and its hand-made networks.
"""

from netwright.tasks.speech_recognition.task import SpeechRecognition

__all__ = ["SpeechRecognition"]
